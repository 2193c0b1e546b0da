"""How a model is tuned: one file per method.

To add a method: a class like these in a new file, and its name here.
"""

from tunegrid.methods.adapters import Adapters
from tunegrid.methods.base import Method, MethodSettings
from tunegrid.methods.bitfit import BitFit
from tunegrid.methods.dpo import Dpo
from tunegrid.methods.full import Full
from tunegrid.methods.lora import Lora
from tunegrid.methods.peft import Peft
from tunegrid.methods.ppo import Ppo
from tunegrid.methods.prefix import Prefix
from tunegrid.methods.prompt import Prompt
from tunegrid.methods.qlora import Qlora
from tunegrid.methods.untuned import Untuned

METHODS: dict[str, type[Method]] = {
    "adapters": Adapters,
    "bitfit": BitFit,
    "dpo": Dpo,
    "full": Full,
    "lora": Lora,
    "peft": Peft,
    "ppo": Ppo,
    "prefix": Prefix,
    "prompt": Prompt,
    "qlora": Qlora,
    "untuned": Untuned,
}

__all__ = ["METHODS", "Method", "MethodSettings"]
