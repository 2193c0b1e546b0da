"""The process and its machine: devices, memory, locks, attempts, Slurm, Snakemake."""
