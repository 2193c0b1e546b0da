"""The settings of a reward model."""

from pydantic import Field

from tunegrid.common.fields import Closed, Name, Seed
from tunegrid.training.settings import Training


class RewardSettings(Closed):
    """A reward model of a study: of each model and task whose cells need it there is one."""

    pairs: Name = Field(description="The pairs that it learns from, a name under `preferences`.")
    training: Training = Field(description="Its hyperparameters: the keys of the study's `training`.")
    seed: Seed = Field(0, description="Seed of its head and of the order of its pairs; all runs share the model.")


class PpoOptions(Closed):
    """Settings of PPO. Defaults are those that TRL's PPO had, after Ziegler et al. 2019 and Stiennon et al. 2020."""

    kl_coefficient: float = Field(
        0.05, ge=0, le=100, description="β: what a nat of divergence from the start costs, in units of the reward."
    )
    kl_target: float | None = Field(
        None, gt=0, le=10_000, description="Nats per answer to which β adapts itself; none: β stays as it is."
    )
    kl_gain: float = Field(0.1, gt=0, le=10, description="With `kl_target`: K, how fast it does.")
    passes: int = Field(4, ge=1, le=100, description="Passes of updates over the answers of a step.")
    minibatches: int = Field(1, ge=1, le=1_024, description="Updates per pass, each on a part of the answers.")
    clip: float = Field(0.2, gt=0, lt=1, description="ε: how far a token's probability ratio may move in a step.")
    value_clip: float = Field(0.2, gt=0, le=1_000, description="How far the value of a token may move in a step.")
    value_coefficient: float = Field(0.1, ge=0, le=1_000, description="Weight of the loss of the values.")
    discount: float = Field(1.0, gt=0, le=1, description="γ of the advantages.")
    decay: float = Field(0.95, ge=0, le=1, description="λ of the advantages.")
    unended_penalty: float = Field(
        1.0, ge=0, le=1_000, description="What an answer that reaches the length limit loses of its reward."
    )
