# Bias probes: what each run and each untuned model scores on pairs of texts that differ in one word. One job for all sets of a task.
PROBED = {settings.task for settings in STUDY.probes.values()}


rule evaluate_probes:
    input:
        weights=PATHS.run(RUN) / "weights",
        record=PATHS.run(RUN) / "train.json",
        data=PATHS.data_card("{task}"),
    output:
        directory(PATHS.probe_results(PATHS.run(RUN))),
    log:
        PATHS.log(f"evaluate_probes/{RUN.path}"),
    benchmark:
        PATHS.benchmark(f"evaluate_probes/{RUN.path}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.probes(wildcards.task, wildcards.model, wildcards.method)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.probes_settings, lambda wildcards: (wildcards.task, wildcards.model)),
    shell:
        "tunegrid evaluate-probes {resources.study} --task {wildcards.task} --model {wildcards.model} "
        "--method {wildcards.method} --seed {wildcards.seed} --settings {params.digest} --log {log}"


rule evaluate_probes_untuned:
    input:
        model=PATHS.model("{model}"),
        data=PATHS.data_card("{task}"),
    output:
        directory(PATHS.probe_results(PATHS.untuned("{task}", "{model}"))),
    log:
        PATHS.log("evaluate_probes_untuned/{task}/{model}"),
    benchmark:
        PATHS.benchmark("evaluate_probes_untuned/{task}/{model}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.probes(wildcards.task, wildcards.model)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.probes_settings, lambda wildcards: (wildcards.task, wildcards.model)),
    shell:
        "tunegrid evaluate-probes {resources.study} --task {wildcards.task} --model {wildcards.model} --method untuned "
        "--settings {params.digest} --log {log}"
