"""The training methods: which records they learn from, which TRL trainer does it, defaults."""

import ast
import dataclasses
import difflib
import functools
import importlib
import importlib.util
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from prefkit.config import TrainConfig
from prefkit.errors import EXIT_USAGE, PrefkitError, missing_extra
from prefkit.records import Example, PreferencePair, Record, UnpairedPreference


@dataclasses.dataclass(frozen=True)
class Method:
    """One way to train.

    Attributes:
        name: As in the command `train-NAME`.
        title: How a person calls it.
        stream: The records it learns from.
        record: Their class.
        trainer: TRL's trainer class, as `module:class`.
        config: TRL's configuration class, likewise.
        defaults: What we pass to the configuration unless told otherwise.
        source: Where the method and its defaults come from.
        reference: Whether rewards are measured against a frozen reference policy.
    """

    name: str
    title: str
    stream: str
    record: type[Record]
    trainer: str
    config: str
    defaults: Mapping[str, Any]  # values of TRL's configuration
    source: str
    reference: bool = False

    @property
    def stage(self) -> str:
        """Name of the stage and of the command."""
        return f"train-{self.name}"


# An adapter wants about ten times the learning rate of full fine-tuning, whatever the method
# (Schulman et al. 2025, "LoRA Without Regret"); the papers' rates below are for full fine-tuning.
_SFT = Method(
    name="sft",
    title="supervised fine-tuning (SFT)",
    stream="examples",
    record=Example,
    trainer="trl.trainer.sft_trainer:SFTTrainer",
    config="trl.trainer.sft_config:SFTConfig",
    defaults=MappingProxyType(
        {"learning_rate": 2e-4, "num_train_epochs": 2.0, "completion_only_loss": True}
    ),
    source="learning rate of QLoRA, arXiv 2305.14314, table 9",
)
_DPO = Method(
    name="dpo",
    title="direct preference optimisation (DPO)",
    stream="pairs",
    record=PreferencePair,
    trainer="trl.trainer.dpo_trainer:DPOTrainer",
    config="trl.trainer.dpo_config:DPOConfig",
    defaults=MappingProxyType({"learning_rate": 5e-5, "num_train_epochs": 1.0, "beta": 0.1}),
    source="arXiv 2305.18290; beta as there",
    reference=True,
)
_KTO = Method(
    name="kto",
    title="Kahneman-Tversky optimisation (KTO)",
    stream="unpaired",
    record=UnpairedPreference,
    trainer="trl.trainer.kto_trainer:KTOTrainer",
    config="trl.trainer.kto_config:KTOConfig",
    defaults=MappingProxyType({"learning_rate": 5e-5, "num_train_epochs": 1.0, "beta": 0.1}),
    source="arXiv 2402.01306; its 5e-6 for full fine-tuning, times ten",
    reference=True,
)
_SIMPO = Method(
    name="simpo",
    title="simple preference optimisation (SimPO)",
    stream="pairs",
    record=PreferencePair,
    trainer="trl.experimental.cpo.cpo_trainer:CPOTrainer",
    config="trl.experimental.cpo.cpo_config:CPOConfig",
    defaults=MappingProxyType(
        {
            "learning_rate": 2e-5,
            "num_train_epochs": 1.0,
            "loss_type": "simpo",
            "cpo_alpha": 0.0,
            "beta": 2.0,
            "simpo_gamma": 1.0,
        }
    ),
    source="arXiv 2405.14734: beta 2.0 to 2.5, gamma half of beta (TRL's 0.1 suits CPO)",
)

METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {method.name: method for method in (_SFT, _DPO, _KTO, _SIMPO)}
)
OURS: Final = frozenset({*TrainConfig.model_fields, "output_dir", "per_device_eval_batch_size"})


def find_method(name: str) -> Method:
    """The method called `name`.

    Raises:
        PrefkitError: There is none.
    """
    if name not in METHODS:
        raise PrefkitError(
            f"There is no training method `{name}`{_suggestion(name, METHODS)}.",
            hint=f"The methods are: {', '.join(METHODS)}.",
            exit_code=EXIT_USAGE,
        )
    return METHODS[name]


def trl_classes(method: Method) -> tuple[type[Any], type[Any]]:  # heavy; TRL types its own
    """TRL's trainer and configuration classes of a method; imports torch."""
    # SimPO lives in trl.experimental, which warns at import unless this is set.
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    return _imported(method.trainer), _imported(method.config)


def _imported(path: str) -> type[Any]:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def check_trainer_keys(method: Method, keys: Iterable[str]) -> None:
    """Refuse keys of `[train.trainer]` that TRL's configuration does not have, or that are ours.

    Raises:
        PrefkitError: Names the key and the closest one that exists.
    """
    known = config_keys(method)
    for key in keys:
        if key in OURS:
            raise PrefkitError(
                f"[train.trainer] `{key}` is set by prefkit itself.",
                hint=f"Set `{key}` in [train]."
                if key in TrainConfig.model_fields
                else "Leave it out: checkpoints lie in the run, held-out rows are measured singly.",
                exit_code=EXIT_USAGE,
            )
        if key not in known:
            raise PrefkitError(
                f"[train.trainer] `{key}` is not a key of TRL's {method.config.partition(':')[2]}"
                f"{_suggestion(key, known)}.",
                hint="It takes what that class takes, the arguments of transformers included.",
                exit_code=EXIT_USAGE,
            )


def config_keys(method: Method) -> frozenset[str]:
    """Fields of TRL's configuration class.

    They are read from the installed source, because importing TRL takes seconds and a misspelt
    key should be refused at once.
    """
    return (
        _annotated(method.config)
        | _annotated("trl.trainer.base_config:_BaseConfig")
        | _annotated("transformers.training_args:TrainingArguments")
    )


@functools.cache
def _annotated(path: str) -> frozenset[str]:
    """Annotated fields of a class, by `module:class`, without importing it."""
    module, _, name = path.partition(":")
    package, *parts = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise missing_extra(package, "train", "Training")
    folder = Path(spec.submodule_search_locations[0])
    source = folder.joinpath(*parts).with_suffix(".py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    body = next(n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    fields = (n.target for n in body if isinstance(n, ast.AnnAssign))
    return frozenset(target.id for target in fields if isinstance(target, ast.Name))


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean `{close[0]}`?" if close else ""
