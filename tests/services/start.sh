# Called by tests/services.sh in namespaces of its own, where it is the first process: starts all and runs the tests.
set -euo pipefail
_say() { printf "\n==> %s\n" "$*"; }
trap "exit 1" INT TERM
hostname cluster
# Slurm asks for addresses as a machine has them that is not alone: with the loopback only, there are none.
ip link set lo up
ip address add 10.0.0.1/32 dev lo
echo '127.0.0.1 localhost cluster' >"$AIIDA_PATH/hosts"
mount --bind "$AIIDA_PATH/hosts" /etc/hosts
# What the services keep is in memory, and what they find there is empty. Each folder belongs to whom it did.
for folder in /run /etc/{slurm,munge,postgresql,rabbitmq} /var/log/{slurm,munge,postgresql,rabbitmq} \
    /var/lib/{slurm,munge,postgresql,rabbitmq,mysql}; do
    mkdir -p $folder
    mount -t tmpfs -o "mode=755,$(stat -c uid=%u,gid=%g $folder)" none $folder
done

# Where the docs' page has the programs of a cluster.
mount -t tmpfs none /srv
ln -s "$VIRTUAL_ENV" /srv/pesfp

_until() { # waits for the success of a command
    for _ in $(seq 150); do "$@" >/dev/null 2>&1 && return || sleep 0.2; done
    echo "in vain: $*" >&2
    "$@"
}

_say 'starting PostgreSQL and RabbitMQ'
pg_createcluster --start "$(ls /usr/lib/postgresql | tail -1)" main >/dev/null
# As AiiDA wants it: a task may take longer than half an hour.
echo '[{rabbit, [{consumer_timeout, undefined}]}].' >/etc/rabbitmq/advanced.config
rabbitmq-server >/dev/null 2>&1 &

_say 'starting SSH'
# For `ssh cluster` of root, with keys of its own.
mkdir -p ~/.ssh /run/sshd
mount -t tmpfs -o mode=700 none ~/.ssh
for key in ~/.ssh/id_ed25519 /run/host_key; do ssh-keygen -q -t ed25519 -N '' -f $key; done
cp ~/.ssh/id_ed25519.pub ~/.ssh/authorized_keys
echo "cluster $(cat /run/host_key.pub)" >~/.ssh/known_hosts
printf 'Host cluster\n  HostName localhost\n  HostKeyAlias cluster\n' >~/.ssh/config
/usr/sbin/sshd -f /dev/null -h /run/host_key -o Subsystem='sftp internal-sftp'

_say 'starting Slurm'
cp tests/services/*.conf /etc/slurm
chmod 600 /etc/slurm/slurmdbd.conf
for number in 0 1; do mknod /run/gpu$number c 1 3; done
install -d -o munge /run/munge
runuser -u munge -- mungekey --create
runuser -u munge -- munged
install -d /run/mysqld
mariadb-install-db --user=root --auth-root-authentication-method=socket >/dev/null 2>&1
mariadbd --user=root --skip-networking --socket=/run/mysqld/mysqld.sock >/dev/null 2>&1 &
_until mariadb -e 'SELECT 1'
slurmdbd
_until sacctmgr list cluster
# A user of the account `me`, who may have eight jobs in the queue.
sacctmgr -i add cluster tests >/dev/null
sacctmgr -i add account me >/dev/null
sacctmgr -i add user root account=me maxsubmitjobs=8 >/dev/null
slurmctld
slurmd
_until sh -c 'sinfo -h -o %t | grep idle'
_until rabbitmqctl await_startup
"$@"
