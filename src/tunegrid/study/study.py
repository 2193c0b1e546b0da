"""A study: one YAML file as typed objects. Every setting that alters a result is here; every error names its key."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError, field_validator

from tunegrid.common.fields import Closed, Name, Seed, Title, check_distinct, not_blank, one_of
from tunegrid.common.yaml_file import KeyProblem, Place
from tunegrid.methods import METHODS, Method, MethodSettings
from tunegrid.models import FAMILIES, MODEL_SOURCES, Family, Shape
from tunegrid.models.forms import NAMES as FORM_NAMES
from tunegrid.models.pretrain.forgetting import Forgetting
from tunegrid.runtime.hardware import Hardware
from tunegrid.study.cells import Cell, MixtureCell, Run
from tunegrid.study.evaluation_settings import Distillation, Evaluation, Recovery
from tunegrid.study.instruction import InstructionSettings
from tunegrid.study.limits import FormName, Measure, Recommend
from tunegrid.study.paths import Paths
from tunegrid.study.resources import Resources
from tunegrid.study.search_settings import Search
from tunegrid.tasks import TASKS, Task
from tunegrid.tasks.pairs import Preferences
from tunegrid.tasks.probes import ProbeSet
from tunegrid.tasks.probes.settings import ProbeSettings
from tunegrid.training.preferences.settings import RewardSettings
from tunegrid.training.settings import EXCLUSIVE, Training, TrainingChange

Part = Literal["tasks", "models", "methods"]
AnySettings = TypeVar("AnySettings", bound=Closed)


AnyTask = one_of(task.Settings for task in TASKS.values())
AnyMethod = one_of([*(method.Settings for method in METHODS.values() if method.trains), InstructionSettings])
AnyModelSource = one_of(MODEL_SOURCES.values())


class ModelSettings(Closed):
    """A pretrained model: its family and where its weights come from."""

    title: Title = Field("", description="Name in tables; default: its key.")
    family: Name = Field(description=f"{', '.join(FAMILIES)}, or a name under `families`.")
    source: AnyModelSource = Field(description="Where the weights come from.")


class Where(Closed):
    """The cells with these names; a name that is not given matches all."""

    task: Name | None = None
    model: Name | None = None
    method: Name | None = None

    def matches(self, cell: Cell) -> bool:
        pairs = ((self.task, cell.task), (self.model, cell.model), (self.method, cell.method))
        return all(name is None or name == own for name, own in pairs)


class Grid(Closed):
    """The cells of a study: the product of the three lists, less what is excluded."""

    tasks: list[Name] = Field(min_length=1, description="Names under `tasks:`, in the order of the report.")
    models: list[Name] = Field(min_length=1, description="Names under `models:`, in the order of the tables.")
    methods: list[Name] = Field(min_length=1, description="Names under `methods:`, in the order of the tables.")
    exclude: list[Where] = Field(default_factory=list, max_length=1_000, description="Cells to leave out.")


class Override(Closed):
    """Other settings for some cells. Later overrides win over earlier ones."""

    where: Where = Field(description="Which cells: `task`, `model`, `method`, each optional.")
    training: TrainingChange = Field(default_factory=TrainingChange, description="Any keys of `training`.")
    method: dict[str, Any] = Field(default_factory=dict, description="Any keys of the cell's method, without `kind`.")


class Study(Closed):
    """One configuration: which cells, which seeds, which data."""

    name: Name = Field(alias="study", description="Name of the study: its results are in `results/<study>/`.")
    title: Annotated[Title, AfterValidator(not_blank)] = Field(description="Title of the report.")
    description: str = Field(description="What a reader of the report has to know about this study.")
    seeds: list[Seed] = Field(
        min_length=1, max_length=1_000, description="One training job per cell and seed; each seed at most once."
    )
    hardware: Hardware = Field(default_factory=Hardware, description="What the jobs compute on.")
    grid: Grid = Field(description="Which cells are run.")
    tasks: dict[Name, AnyTask] = Field(description="Name -> task.")
    models: dict[Name, ModelSettings] = Field(description="Name -> model.")
    methods: dict[Name, AnyMethod] = Field(description="Name -> method. The name `untuned` is taken.")
    families: dict[Name, Family] = Field(
        default_factory=dict, description="Name -> family of models, beside those that come with the project."
    )
    training: Training = Field(description="Hyperparameters of training, for all cells.")
    overrides: list[Override] = Field(
        default_factory=list, max_length=1_000, description="Other settings for some cells."
    )
    resources: Resources = Field(
        default_factory=Resources, description="What jobs ask a cluster for, and how often a training is tried."
    )
    recommend: Recommend = Field(default_factory=Recommend, description="Limits and cost of the recommendation.")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="How test rows are predicted.")
    compress: list[FormName] = Field(
        default_factory=list,
        max_length=20,
        description=(
            f"Forms in which the weights of each run that merges into a plain model are evaluated too: "
            f"{', '.join(FORM_NAMES)}; 30 may be any whole percentage, 12 and 3 any numbers of layers of encoder and "
            "decoder."
        ),
    )
    recovery: Recovery | None = Field(
        None, description="Tuning of the forms under `compress` that are named `…-tuned`, after they were pruned."
    )
    distillation: Distillation | None = Field(
        None, description="Tuning of the forms under `compress` that are named `distil-…`, which keep some layers."
    )
    search: Search | None = Field(
        None,
        description=(
            "How each cell's learning rate is searched; none: each cell is trained with the learning rate "
            "that is given."
        ),
    )
    preferences: dict[Name, Preferences] = Field(
        default_factory=dict, description="Name -> preference pairs, for methods that learn from them."
    )
    rewards: dict[Name, RewardSettings] = Field(
        default_factory=dict, description="Name -> reward model, for methods that are trained to please it."
    )
    probes: dict[Name, ProbeSettings] = Field(
        default_factory=dict,
        max_length=100,
        description="Name -> bias probes of a task, for its runs and untuned models.",
    )
    forgetting: Forgetting | None = Field(
        None, description="Whether and on what text the pretraining loss before and after tuning is measured."
    )
    measure: Measure = Field(default_factory=Measure, description="What is measured beside the scores.")

    @field_validator("families")
    @classmethod
    def _name_families(cls, families: dict[str, Family]) -> dict[str, Family]:
        return {name: family.named(name) for name, family in families.items()}

    _is_distinct = field_validator("compress")(check_distinct)

    @property
    def paths(self) -> Paths:
        return Paths(self.name)

    def cells(self) -> list[Cell]:
        """The cells of the grid, task by task, in the order of the lists."""
        cells = [Cell(*names) for names in product(self.grid.tasks, self.grid.models, self.grid.methods)]
        return [cell for cell in cells if not any(where.matches(cell) for where in self.grid.exclude)]

    def runs(self) -> list[Run]:
        return [Run(cell, seed) for cell in self.cells() for seed in self.seeds]

    def is_shared(self, cell: Cell) -> bool:
        """Whether the training of a cell is that of other cells too: a model is tuned on several tasks at once."""
        return isinstance(self.methods[cell.method], InstructionSettings)

    def training_of(self, cell: Cell) -> Cell:
        """What is trained for a cell: the cell itself, or the mixture that it belongs to."""
        return MixtureCell.of(cell.model, cell.method) if self.is_shared(cell) else cell

    def train_again(self, cell: Cell) -> str:
        """The command that trains a cell's runs once more."""
        return f"snakemake … --forcerun {self.training_of(cell).training_rule} {cell.target}"

    def trainings(self) -> list[Cell]:
        """What is trained, each once per seed: cells, and mixtures in the place of their first cell."""
        return list(dict.fromkeys(map(self.training_of, self.cells())))

    def training_runs(self) -> list[Run]:
        return [Run(cell, seed) for cell in self.trainings() for seed in self.seeds]

    def sharing(self, cell: Cell) -> list[Cell]:
        """The cells that the training of a cell is for, the cell itself included."""
        return [other for other in self.cells() if self.training_of(other) == self.training_of(cell)]

    def forms(self, cell: Cell) -> list[str]:
        """The forms of a cell's weights that are evaluated: none where they do not merge into a plain model."""
        return self.compress if self.compress and self.method(cell).why_unmerged() is None else []

    def formed_runs(self) -> list[Run]:
        """The runs in each of their forms, after the runs themselves."""
        return [Run(run.cell, run.seed, form) for run in self.runs() for form in self.forms(run.cell)]

    def family(self, model: str) -> Family:
        return self.known_families()[self.models[model].family]

    def known_families(self) -> dict[str, Family]:
        """The families that a model can be of, by name."""
        return FAMILIES | self.families

    def shape(self, model: str) -> Shape | None:
        """The sizes of a model before it is fetched; None: its architecture is unknown (a new model of the Hub)."""
        family = self.family(model)
        config = self.models[model].source.known_config(family)
        return None if config is None else Shape.of_model(model, family, config, self.known_families().values())

    def task(self, task: str, model: str | None = None) -> Task:
        """The task of this name; with a model, bound to the prompts and label words of the model's family."""
        settings = self.tasks[task]
        return TASKS[settings.kind](settings, self.family(model) if model else None)

    def domain_task(self, task: str, domain: str) -> Task:
        """The task with one of its `evaluate_on` for the source of its rows."""
        settings = self.tasks[task]
        source = settings.evaluate_on[domain].test_only()
        return TASKS[settings.kind](settings.model_copy(update={"source": source}))

    def probe_sets(self, task: str) -> dict[str, ProbeSet]:
        """The bias probes of a task, by name, read from their files."""
        return {name: settings.read() for name, settings in self.probes.items() if settings.task == task}

    def method(self, cell: Cell) -> Method:
        """The method that tunes the model of a cell; in instruction tuning, the one it is done with."""
        settings = self.method_settings(cell)
        if isinstance(settings, InstructionSettings):
            settings = settings.method
        return METHODS[settings.kind](settings, self.family(cell.model))

    def titles(self, part: Part) -> dict[str, str]:
        """The titles of the grid's tasks, models or methods in tables, by name."""
        settings = {name: getattr(self, part)[name] for name in getattr(self.grid, part)}
        kinds = {"tasks": TASKS, "methods": METHODS}.get(part)
        if kinds is None:
            return {name: value.title or name for name, value in settings.items()}
        own = {name: getattr(value, "own_title", None) or kinds[value.kind].title for name, value in settings.items()}
        untitled = Counter(own[name] for name, value in settings.items() if not value.title)
        defaults = {name: f"{title} ({name})" if untitled[title] > 1 else title for name, title in own.items()}
        return {name: value.title or defaults[name] for name, value in settings.items()}

    def title_of(self, part: Part, name: str) -> str:
        """The title of a task, a model or a method of the grid in tables."""
        return self.titles(part)[name]

    def method_settings(self, cell: Cell) -> MethodSettings:
        """The settings of a cell's method, with overrides applied."""
        settings = self.methods[cell.method]
        for i, override in self._overrides(cell):
            values = settings.model_dump() | override.method
            settings = _validated(type(settings), values, ("overrides", i, "method"))
        return settings

    def training_settings(self, cell: Cell) -> Training:
        """The training settings of a cell, with overrides applied."""
        settings = self.training
        for i, override in self._overrides(cell):
            change = override.training.model_dump(exclude_unset=True)
            values = settings.model_dump()
            for keys in EXCLUSIVE:
                if change.keys() & set(keys):
                    values |= dict.fromkeys(keys)
            settings = _validated(Training, values | change, ("overrides", i, "training"))
        return settings

    def with_training(self, cell: Cell, change: dict[str, Any]) -> Study:
        """A copy of this study with other training settings in one cell."""
        where = Where(task=None if self.is_shared(cell) else cell.task, model=cell.model, method=cell.method)
        override = Override(where=where, training=TrainingChange(**change))
        return self.model_copy(update={"overrides": [*self.overrides, override]})

    def _overrides(self, cell: Cell) -> list[tuple[int, Override]]:
        trained = self.training_of(cell)
        return [(i, override) for i, override in enumerate(self.overrides) if override.where.matches(trained)]


def _validated(settings: type[AnySettings], values: dict[str, Any], place: Place) -> AnySettings:
    try:
        return settings.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = (problem["ctx"]["key"],) if problem["type"] == "unknown_key" else ()
        raise KeyProblem((*place, *problem["loc"], *key), problem["msg"].removeprefix("Value error, ")) from None
