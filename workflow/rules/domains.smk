# Other domains of a task (`evaluate_on`): their rows, and what each run, untuned model and baseline scores on them.
# Rules that a study does not need stay here all the same: nothing asks for their files.


localrules:
    fetch_domain,


rule fetch_domain:
    input:
        lambda wildcards: STUDY.tasks[wildcards.task].evaluate_on[wildcards.domain].files(),
    output:
        rows=PATHS.domain("{task}", "{domain}") / "test.parquet",
        card=PATHS.domain("{task}", "{domain}") / "card.json",
    log:
        PATHS.log("fetch_domain/{task}/{domain}"),
    benchmark:
        PATHS.benchmark("fetch_domain/{task}/{domain}")
    wildcard_constraints:
        domain=one_of(sorted({domain for domains in DOMAINS.values() for domain in domains})),
    conda:
        "../../environment.yml"
    resources:
        study=CONFIG,
    params:
        **settings_params(stage_settings.domain_settings, lambda wildcards: (wildcards.task, wildcards.domain)),
    shell:
        "tunegrid fetch-domain {resources.study} --task {wildcards.task} --domain {wildcards.domain} "
        "--settings {params.digest} --log {log}"


rule evaluate_domains:
    input:
        rows_of_domains,
        weights=PATHS.run(RUN) / "weights",
        record=PATHS.run(RUN) / "train.json",
    output:
        directory(PATHS.domain_results(PATHS.run(RUN))),
    log:
        PATHS.log(f"evaluate_domains/{RUN.path}"),
    benchmark:
        PATHS.benchmark(f"evaluate_domains/{RUN.path}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.domains(wildcards.task, wildcards.model, wildcards.method)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.domains_settings, lambda wildcards: (wildcards.task, wildcards.model)),
    shell:
        "tunegrid evaluate-domains {resources.study} --task {wildcards.task} --model {wildcards.model} "
        "--method {wildcards.method} --seed {wildcards.seed} --settings {params.digest} --log {log}"


rule evaluate_domains_untuned:
    input:
        rows_of_domains,
        model=PATHS.model("{model}"),
    output:
        directory(PATHS.domain_results(PATHS.untuned("{task}", "{model}"))),
    log:
        PATHS.log("evaluate_domains_untuned/{task}/{model}"),
    benchmark:
        PATHS.benchmark("evaluate_domains_untuned/{task}/{model}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.domains(wildcards.task, wildcards.model)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.domains_settings, lambda wildcards: (wildcards.task, wildcards.model)),
    shell:
        "tunegrid evaluate-domains {resources.study} --task {wildcards.task} --model {wildcards.model} --method untuned "
        "--settings {params.digest} --log {log}"


rule baseline_domains:
    input:
        rows_of_domains,
        train=PATHS.split("{task}", "train"),
    output:
        directory(PATHS.domain_results(PATHS.baseline("{task}", "{baseline}"))),
    log:
        PATHS.log("baseline_domains/{task}/{baseline}"),
    benchmark:
        PATHS.benchmark("baseline_domains/{task}/{baseline}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.domains(wildcards.task)),
        study=CONFIG,
    params:
        **settings_params(stage_settings.domains_settings, lambda wildcards: (wildcards.task,)),
    shell:
        "tunegrid baseline-domains {resources.study} --task {wildcards.task} --name {wildcards.baseline} "
        "--settings {params.digest} --log {log}"
