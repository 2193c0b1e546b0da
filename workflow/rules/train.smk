# One named training rule per cell, with the seed as wildcard, and one target per cell that runs all its seeds.


def training_rule(cell):
    """The training rule of a cell.

    A function, not the body of the loop: a rule made in a loop would bind the loop's last cell. For the same reason the
    command reads the cell from params alone.
    """
    run = Run(cell, "{seed}")

    rule:
        name:
            cell.training_rule
        input:
            tokens=[PATHS.tokens(cell.task, cell.model) / f"{split}.arrow" for split in ("train", "validation")],
            model=PATHS.model(cell.model),
            data=PATHS.data_card(cell.task),
            choice=[PATHS.choice(cell)] if STUDY.search else [],
            needs=needed_files(STUDY, run),
        output:
            weights=directory(PATHS.run(run) / "weights"),
            record=PATHS.run(run) / "train.json",
            history=PATHS.run(run) / "history.csv",
        log:
            PATHS.log(f"train/{run.path}"),
        benchmark:
            PATHS.benchmark(f"train/{run.path}")
        retries: RETRIES
        conda:
            "../../environment.yml"
        threads: STUDY.hardware.threads
        resources:
            **asks(lambda wildcards: JOBS.train(cell)),
            attempt=lambda wildcards, attempt: attempt,
            attempts=STUDY.resources.attempts,
            study=CONFIG,
            gpu=GPUS,
        params:
            **settings_params(stage_settings.run_settings, lambda wildcards: (cell,)),
            cell=f"--task {cell.task} --model {cell.model} --method {cell.method}",
        shell:
            "tunegrid train {resources.study} {params.cell} --seed {wildcards.seed} --settings {params.digest} --log {log} "
            "--attempt {resources.attempt} --attempts {resources.attempts} --mem-mb {resources.mem_mb}"


def sharing_rule(cell):
    """The rule in the place of a training rule for a cell whose training other cells share; its run is that training."""
    run, source = Run(cell, "{seed}"), PATHS.run(Run(STUDY.training_of(cell), "{seed}"))

    rule:
        name:
            cell.training_rule
        input:
            weights=source / "weights",
            record=source / "train.json",
            history=source / "history.csv",
        output:
            weights=directory(PATHS.run(run) / "weights"),
            record=PATHS.run(run) / "train.json",
            history=PATHS.run(run) / "history.csv",
        log:
            PATHS.log(f"train/{run.path}"),
        benchmark:
            PATHS.benchmark(f"train/{run.path}")
        localrule: True
        conda:
            "../../environment.yml"
        resources:
            study=CONFIG,
        params:
            **settings_params(stage_settings.run_settings, lambda wildcards: (cell,)),
            cell=f"--task {cell.task} --model {cell.model} --method {cell.method}",
        shell:
            "tunegrid share-training {resources.study} {params.cell} --seed {wildcards.seed} "
            "--settings {params.digest} --log {log}"


def cell_target(cell):
    """The rule that runs all seeds of a cell."""

    rule:
        name:
            cell.target
        input:
            [PATHS.run(Run(cell, seed)) / file for seed in STUDY.seeds for file in results_of(cell)],


for cell in STUDY.cells():
    (sharing_rule if STUDY.is_shared(cell) else training_rule)(cell)
    cell_target(cell)
    # Snakemake leaves a function of every rule among the names of this file, looks none of them up again, and copies
    # all names each time that it formats a command: with thousands of cells that was most of a dry run.
    for name in (cell.training_rule, cell.target):
        globals().pop(f"__{name}", None)
