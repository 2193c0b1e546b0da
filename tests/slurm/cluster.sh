#!/usr/bin/env bash
# A Slurm cluster of one node on this machine, with accounting and one pretend GPU, all of its files in one folder.
#
# Usage: cluster.sh up FOLDER      # then: export SLURM_CONF=FOLDER/slurm.conf
#        cluster.sh down FOLDER    # stop it; the logs in FOLDER stay
#        cluster.sh node-dies FOLDER | node-returns FOLDER
#
# FOLDER/devices.log gets a line per started task, from within its environment: job, step, CUDA_VISIBLE_DEVICES or "none".
#
# The configuration is linked into /etc/slurm as well: job steps do not inherit SLURM_CONF. An /etc/slurm/slurm.conf that
# is there is left alone, and nothing is started. Needs root and Debian's packages slurm-wlm, slurmdbd, mariadb-server and munge.
set -euo pipefail

command=${1:?up, down, node-dies or node-returns} folder=$(realpath -m "${2:?a folder}")
export SLURM_CONF=$folder/slurm.conf
cpus=$(nproc --all) memory=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) / 1024 * 9 / 10))
name=$(hostname -s)

until_true() { # until_true WHAT COMMAND…: polls for half a minute
    local what=$1 tries=0
    shift
    until timeout 3 "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 100 ]; then
            echo "$what is not up after 30 s; see the logs in $folder" >&2
            exit 1
        fi
        sleep 0.1
    done
}

write_configuration() {
    cat >"$folder/slurm.conf" <<END
ClusterName=tunegrid
SlurmctldHost=$name(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStoragePass=$folder/munge.socket
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
AccountingStorageEnforce=associations
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=10
MinJobAge=300
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
KillWait=30
TaskProlog=$folder/task-prolog
NodeName=$name NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
    echo "Name=gpu File=/dev/null" >"$folder/gres.conf" # jobs wait for the one GPU that there is not
    cat >"$folder/slurmdbd.conf" <<END
DbdHost=localhost
DbdPort=16819
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=16306
StorageUser=slurm
StoragePass=slurm
PidFile=$folder/slurmdbd.pid
LogFile=$folder/slurmdbd.log
END
    chmod 600 "$folder/slurmdbd.conf"
    cat >"$folder/task-prolog" <<END
#!/bin/sh
echo "\$SLURM_JOB_ID \$SLURM_STEP_ID \${CUDA_VISIBLE_DEVICES:-none}" >>$folder/devices.log
END
    chmod 755 "$folder/task-prolog"
}

start_node() {
    slurmd
    until_true "the node" bash -c "sinfo --noheader --format %T | grep -Eq 'idle|mixed|allocated'"
}

up() {
    if [ -e /etc/slurm/slurm.conf ]; then
        echo "/etc/slurm/slurm.conf: this machine has a Slurm of its own (or one that was not taken down)" >&2
        exit 1
    fi
    mkdir -p "$folder"/{state,spool,database} /etc/slurm
    ln -s "$folder/slurm.conf" "$folder/gres.conf" /etc/slurm/
    chmod 755 "$folder"
    write_configuration
    dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
    chmod 600 "$folder/munge.key"
    munged --force --num-threads=10 --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
    until_true munged munge --no-input --socket="$folder/munge.socket"
    mariadb-install-db --no-defaults --user=root --datadir="$folder/database" --auth-root-authentication-method=normal \
        >"$folder/mariadb-install.log" 2>&1
    mariadbd --no-defaults --user=root --datadir="$folder/database" --socket="$folder/mariadb.socket" --port=16306 \
        --bind-address=127.0.0.1 --pid-file="$folder/mariadbd.pid" --innodb-buffer-pool-size=128M \
        --innodb-lock-wait-timeout=900 >"$folder/mariadb.log" 2>&1 &
    until_true mariadbd mariadb --no-defaults --socket="$folder/mariadb.socket" --execute "SELECT 1"
    mariadb --no-defaults --socket="$folder/mariadb.socket" --execute \
        "CREATE DATABASE slurm_acct_db; CREATE USER slurm@localhost IDENTIFIED BY 'slurm';
         CREATE USER slurm@'127.0.0.1' IDENTIFIED BY 'slurm';
         GRANT ALL ON slurm_acct_db.* TO slurm@localhost; GRANT ALL ON slurm_acct_db.* TO slurm@'127.0.0.1'"
    slurmdbd
    until_true slurmdbd sacctmgr --noheader list cluster
    sacctmgr --immediate --quiet add cluster tunegrid >/dev/null
    sacctmgr --immediate --quiet add account research cluster=tunegrid >/dev/null
    sacctmgr --immediate --quiet add user "$(id -un)" account=research >/dev/null
    slurmctld
    until_true slurmctld scontrol ping
    start_node
    sinfo --format "%P %D %c CPUs %m MiB %G %T"
}

stop() { # stop NAME: by its pid file, and wait until it is gone
    local pid
    pid=$(cat "$folder/$1.pid" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$pid"
}

case $command in
up) up ;;
down)
    timeout 5 scancel --user="$(id -un)" 2>/dev/null || true
    for _ in $(seq 100); do # jobs outlive a slurmd that is stopped too early
        if [ -z "$(timeout 3 squeue --noheader 2>/dev/null)" ]; then break; fi
        sleep 0.1
    done
    for daemon in slurmd slurmctld slurmdbd mariadbd munged; do stop $daemon; done
    for file in slurm.conf gres.conf; do
        if [ "$(readlink /etc/slurm/$file)" = "$folder/$file" ]; then rm /etc/slurm/$file; fi
    done
    ;;
node-dies) # and with it all that runs there: a job's processes have its number in their environment
    kill -9 "$(cat "$folder/slurmd.pid")"
    for process in /proc/[0-9]*; do
        if grep -qzx "SLURMD_NODENAME=$name" "$process/environ" 2>/dev/null ||
            [ "$(cat "$process/comm" 2>/dev/null)" = slurmstepd ]; then
            kill -9 "${process#/proc/}" 2>/dev/null || true
        fi
    done
    ;;
node-returns) start_node ;;
*)
    echo "unknown: $command. Valid: up, down, node-dies, node-returns" >&2
    exit 2
    ;;
esac
