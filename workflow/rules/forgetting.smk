# Forgetting: the pretraining loss of each run and each untuned model on text that was held out of pretraining.


localrules:
    held_out_text,


rule held_out_text:
    input:
        [PATHS.model(model) for model in STUDY.grid.models if STUDY.forgetting and not STUDY.forgetting.text],
        text=[STUDY.forgetting.text] if STUDY.forgetting and STUDY.forgetting.text else [],
    output:
        text=PATHS.held_out_text / "text.parquet",
        card=PATHS.held_out_text / "card.json",
    log:
        PATHS.log("held_out_text"),
    benchmark:
        PATHS.benchmark("held_out_text")
    conda:
        "../../environment.yml"
    resources:
        study=CONFIG,
    params:
        **settings_params(stage_settings.held_out_settings, lambda wildcards: ()),
    shell:
        "tunegrid held-out-text {resources.study} --settings {params.digest} --log {log}"


rule evaluate_forgetting:
    input:
        weights=PATHS.run(RUN) / "weights",
        record=PATHS.run(RUN) / "train.json",
        text=rules.held_out_text.output.text,
    output:
        losses=PATHS.run(RUN) / "forgetting.parquet",
        record=PATHS.run(RUN) / "forgetting.json",
    log:
        PATHS.log(f"evaluate_forgetting/{RUN.path}"),
    benchmark:
        PATHS.benchmark(f"evaluate_forgetting/{RUN.path}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.forgetting(wildcards.task, wildcards.model, wildcards.method)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.forgetting_settings, lambda wildcards: ()),
    shell:
        "tunegrid evaluate-forgetting {resources.study} --task {wildcards.task} --model {wildcards.model} "
        "--method {wildcards.method} --seed {wildcards.seed} --settings {params.digest} --log {log}"


rule forgetting_untuned:
    input:
        model=PATHS.model("{model}"),
        text=rules.held_out_text.output.text,
    output:
        losses=PATHS.untuned_forgetting("{model}") / "forgetting.parquet",
        record=PATHS.untuned_forgetting("{model}") / "forgetting.json",
    log:
        PATHS.log("forgetting_untuned/{model}"),
    benchmark:
        PATHS.benchmark("forgetting_untuned/{model}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.forgetting(STUDY.grid.tasks[0], wildcards.model)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.forgetting_settings, lambda wildcards: ()),
    shell:
        "tunegrid forgetting-untuned {resources.study} --model {wildcards.model} --settings {params.digest} --log {log}"
