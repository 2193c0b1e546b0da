"""Settings: what an unknown name may have meant."""

from tunegrid.common.fields import did_you_mean


def test_did_you_mean_names_the_closest_or_none():
    assert did_you_mean("lorra", ["lora", "full"]) == "Did you mean lora? Valid: full, lora"
    assert did_you_mean("xyz", ["lora", "full"]) == "Valid: full, lora"
    assert did_you_mean("xyz", []) == "Valid: none"
