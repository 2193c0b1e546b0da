"""Full fine-tuning: it trains everything."""

from tunegrid.models.flops import trainable_parameters


def test_full_fine_tuning_trains_every_parameter(injected):
    _, model = injected("full", "t5")
    assert trainable_parameters(model) == sum(parameter.numel() for parameter in model.parameters())
