"""What every tuner of the pinned peft and adapters libraries does in models of each family: found by trying."""
