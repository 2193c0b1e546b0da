"""How a run is trained: its settings, its session, and the trainer that suits most methods."""
