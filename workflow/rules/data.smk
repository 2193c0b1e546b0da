# Data and pretrained models, and the token ids of each with each. Fetching is local: compute nodes have no network.


localrules:
    fetch_data,
    fetch_model,


rule fetch_data:
    input:
        lambda wildcards: STUDY.tasks[wildcards.task].source.files(),
    output:
        splits=[PATHS.split("{task}", split) for split in SPLITS],
        card=PATHS.data_card("{task}"),
    log:
        PATHS.log("fetch_data/{task}"),
    benchmark:
        PATHS.benchmark("fetch_data/{task}")
    conda:
        "../../environment.yml"
    resources:
        study=CONFIG,
    params:
        **settings_params(stage_settings.data_settings, lambda wildcards: (wildcards.task,)),
    shell:
        "tunegrid fetch-data {resources.study} --task {wildcards.task} --settings {params.digest} --log {log}"


rule fetch_model:
    input:
        lambda wildcards: STUDY.models[wildcards.model].source.files(),
    output:
        folder=directory(PATHS.model("{model}")),
    log:
        PATHS.log("fetch_model/{model}"),
    benchmark:
        PATHS.benchmark("fetch_model/{model}")
    wildcard_constraints:
        model=one_of(FETCHED),
    conda:
        "../../environment.yml"
    resources:
        study=CONFIG,
    params:
        **settings_params(stage_settings.model_settings, lambda wildcards: (wildcards.model,)),
    shell:
        "tunegrid fetch-model {resources.study} --model {wildcards.model} --settings {params.digest} --log {log}"


# The rows of every task: their training rows can be the text, and their other rows must not be in it.
rule pretrain_model:
    input:
        expand(PATHS.split("{task}", "{split}"), task=STUDY.grid.tasks, split=SPLITS),
    output:
        folder=directory(PATHS.model("{model}")),
    log:
        PATHS.log("pretrain_model/{model}"),
    benchmark:
        PATHS.benchmark("pretrain_model/{model}")
    wildcard_constraints:
        model=one_of(PRETRAINED),
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.pretrain(wildcards.model)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.model_settings, lambda wildcards: (wildcards.model,)),
    shell:
        "tunegrid pretrain {resources.study} --model {wildcards.model} --settings {params.digest} --log {log}"


rule tokenise:
    input:
        splits=[PATHS.split("{task}", split) for split in SPLITS],
        model=PATHS.model("{model}"),
    output:
        tokens=[PATHS.tokens("{task}", "{model}") / f"{split}.arrow" for split in SPLITS],
        stats=PATHS.tokens("{task}", "{model}") / "stats.json",
    log:
        PATHS.log("tokenise/{task}/{model}"),
    benchmark:
        PATHS.benchmark("tokenise/{task}/{model}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.tokenise(wildcards.task, wildcards.model)),
        study=CONFIG,
    params:
        **settings_params(stage_settings.token_settings, lambda wildcards: (wildcards.task, wildcards.model)),
    shell:
        "tunegrid tokenise {resources.study} --task {wildcards.task} --model {wildcards.model} "
        "--settings {params.digest} --log {log}"
