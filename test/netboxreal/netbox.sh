#!/usr/bin/env bash
# A real NetBox for tests: a Debian 13 root (Python 3.13, PostgreSQL 17, Redis) in a cache folder,
# NetBox from the Python package index in it, one pristine database that every start copies.
# Nothing outside the cache folder is changed, and only HTTP listens on the loopback: PostgreSQL
# and Redis are reached by unix sockets inside the root.
# shellcheck disable=SC2317 # steps are called by name
set -euo pipefail

readonly NETBOX_VERSION=4.7.3
readonly SUITE=trixie
readonly CACHE=${NETBOX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coredhcp-netbox/netbox-$NETBOX_VERSION}
readonly PORT=${NETBOX_PORT:-18001}
readonly URL=http://127.0.0.1:$PORT

readonly ROOT=$CACHE/root       # the Debian root
readonly RUN=$CACHE/run         # pid files
readonly LOG=$CACHE/log
readonly HOME_IN=/srv/netbox    # NETBOX_ROOT as seen inside ROOT
readonly SERVER_UID=64080       # owns every process and the data; no account of the host
readonly WAIT_SECS=300          # bound of every wait for a process; a busy machine is slow

# Test values, which are public: this instance holds nothing and listens on the loopback only.
readonly ADMIN_PASSWORD=Adm1n-test-pass
readonly V1_TOKEN=0123456789abcdef0123456789abcdef01234567
readonly V2_KEY=TESTKEY00001
readonly V2_SECRET=0123456789abcdefghijABCDEFGHIJ0123456789

usage() {
  cat <<USAGE
usage: netbox.sh COMMAND

  install   build NetBox $NETBOX_VERSION and its pristine database (minutes once, then at once)
  start     start PostgreSQL, Redis, gunicorn and a worker on the pristine database,
            wait until the API answers, print the environment; at once if it already runs
  stop      end exactly the processes that start began
  env       print the environment: NETBOX_URL, NETBOX_TOKEN_FILE (v2), NETBOX_TOKEN_V1_FILE
  reset     throw away all data; a running NetBox runs again afterwards
  status    list the processes; exit 0 if all run

settings (environment)
  NETBOX_CACHE                   folder of everything [$CACHE]
  NETBOX_PORT                    loopback port of the API [$PORT]
  NETBOX_DEBIAN_MIRROR           Debian mirror [the one apt uses for this machine]
  NETBOX_MAX_PAGE_SIZE           read by start: MAX_PAGE_SIZE [1000]
  NETBOX_ENFORCE_GLOBAL_UNIQUE   read by start: 1 or 0 [1]
  NETBOX_WEBHOOK_QUEUE           read by start: default (NetBox's own choice, webhooks wait behind
                                 search index jobs) or high [default]
USAGE
}

say() { printf '%s netbox: %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
fail() { say "$*"; exit 1; }

# timed DESCRIPTION FUNCTION runs one step of the installation and says how long it took. The
# step's output goes to a log file, whose end is shown if the step fails.
timed() {
  local began=$SECONDS log=$LOG/install-$2.log
  say "$1 ..."
  # A subshell of its own, not a condition: set -e must hold inside the step.
  set +e
  (set -e; "$2") >"$log" 2>&1
  local status=$?
  set -e
  if ((status != 0)); then
    tail -n 30 "$log" >&2
    fail "$1: failed after $((SECONDS - began)) s, see $log"
  fi
  say "$1: $((SECONDS - began)) s"
}

# fingerprint STEP changes whenever the step's code or what it installs changes, so that a cache
# made by an older script is rebuilt and not trusted.
fingerprint() { { declare -f "$1"; echo "$NETBOX_VERSION $SUITE"; } | sha256sum | cut -d' ' -f1; }

stamped() { [[ -f $CACHE/$1.stamp && $(<"$CACHE/$1.stamp") == "$(fingerprint "$1")" ]]; }

stamp() {
  fingerprint "$1" >"$CACHE/$1.stamp.new"
  mv "$CACHE/$1.stamp.new" "$CACHE/$1.stamp"
}

# inside USER:GROUP COMMAND... runs the command in the Debian root, as its only process image: the
# pid of the caller's job is the command's. The mounts live in a namespace of this command alone
# and vanish with it, however it ends.
inside() {
  # shellcheck disable=SC2016 # the inner shell expands it
  exec env -i "${environment_inside[@]}" unshare --mount --propagation private -- \
    bash -euc '
      root=$1 user=$2; shift 2
      mount -t proc proc "$root/proc"
      mount --rbind /dev "$root/dev"
      exec chroot --userspec="$user" "$root" "$@"' inside "$ROOT" "$@"
}
as_root() { (inside 0:0 "$@"); }
as_server() { (inside "$SERVER_UID:$SERVER_UID" "$@"); }

# The environment of every command inside: the settings for package downloads of the host, and
# the one name under which the host's certificate bundle is found in there.
collect_environment() {
  local bundle=/etc/ssl/certs/ca-certificates.crt name
  environment_inside=(
    "PATH=$HOME_IN/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive
    "NETBOX_ROOT=$HOME_IN" PYTHONDONTWRITEBYTECODE= PYTHONUNBUFFERED=1
    "NETBOX_MAX_PAGE_SIZE=${NETBOX_MAX_PAGE_SIZE:-1000}"
    "NETBOX_ENFORCE_GLOBAL_UNIQUE=${NETBOX_ENFORCE_GLOBAL_UNIQUE:-1}"
    "NETBOX_WEBHOOK_QUEUE=${NETBOX_WEBHOOK_QUEUE:-default}"
    "SSL_CERT_FILE=$bundle" "REQUESTS_CA_BUNDLE=$bundle" "CURL_CA_BUNDLE=$bundle"
  )
  for name in $(compgen -e); do
    case $name in
    PIP_CERT | PIP_FIND_LINKS | PIP_CONFIG_FILE | PIP_CACHE_DIR | PIP_REQUIRE_VIRTUALENV) ;;
    PIP_* | http_proxy | https_proxy | no_proxy | HTTP_PROXY | HTTPS_PROXY | NO_PROXY | SOURCE_DATE_EPOCH)
      environment_inside+=("$name=${!name}") ;;
    esac
  done
  environment_inside+=("PIP_CERT=$bundle")
}

# debian_mirror prints the archive this machine's own apt takes Debian from.
debian_mirror() {
  if [[ -n ${NETBOX_DEBIAN_MIRROR:-} ]]; then
    echo "$NETBOX_DEBIAN_MIRROR"
    return
  fi
  local codename
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  # shellcheck disable=SC2016 # apt expands it
  apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk -v codename="$codename" '$1 == "Debian" && $2 == codename { print $3; exit }'
}

# hand_over_download_settings copies what the host's apt and pip need to reach their archives:
# certificates, proxies, time-outs, credentials.
hand_over_download_settings() {
  local bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt} file
  mkdir -p "$ROOT/etc/ssl/certs"
  if [[ -r $bundle ]]; then
    cp -L --remove-destination "$bundle" "$ROOT/etc/ssl/certs/ca-certificates.crt"
  fi
  { apt-config dump | grep -E '^Acquire::(http|https|Retries|Check|ForceIPv|Queue)' || true; } >"$ROOT/etc/apt/apt.conf.d/50host"
  echo 'Acquire::https::CAInfo "/etc/ssl/certs/ca-certificates.crt";' >>"$ROOT/etc/apt/apt.conf.d/50host"
  if compgen -G '/etc/apt/auth.conf.d/*' >/dev/null; then
    cp -r /etc/apt/auth.conf.d "$ROOT/etc/apt/"
  fi
  for file in /etc/pip.conf "$HOME/.config/pip/pip.conf"; do
    if [[ -r $file ]]; then
      install -D -m 0600 "$file" "$ROOT${file/#$HOME//root}"
    fi
  done
  cp -L /etc/resolv.conf /etc/hosts "$ROOT/etc/"
}

# Step 1: the Debian root and its packages.
system() {
  local mirror proxy=
  apt-get -o Acquire::Retries=3 update
  apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
    debootstrap curl ca-certificates util-linux
  mirror=$(debian_mirror)
  [[ -n $mirror ]] || fail "apt names no Debian archive: set NETBOX_DEBIAN_MIRROR"
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  rm -rf --one-file-system "$ROOT"
  http_proxy=${http_proxy:-$proxy} unshare --mount --propagation private -- \
    debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$ROOT" "$mirror"
  hand_over_download_settings
  # No service is started in there by a package, and no cluster made.
  printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
  chmod 0755 "$ROOT/usr/sbin/policy-rc.d"
  mkdir -p "$ROOT/etc/postgresql-common"
  echo 'create_main_cluster = false' >"$ROOT/etc/postgresql-common/createcluster.conf"
  as_root apt-get -o Acquire::Retries=3 update
  as_root apt-get -o Acquire::Retries=3 install -y --no-install-recommends \
    postgresql-17 redis-server python3 python3-venv python3-dev gcc libc6-dev libpq-dev
  as_root apt-get clean
  as_root groupadd --gid "$SERVER_UID" netbox
  as_root useradd --uid "$SERVER_UID" --gid "$SERVER_UID" --home-dir "$HOME_IN" --shell /bin/sh netbox
}

# Step 2: NetBox and all it depends on.
packages() {
  hand_over_download_settings
  rm -rf "${ROOT:?}$HOME_IN/venv"
  mkdir -p "$ROOT$HOME_IN"
  as_root python3 -m venv "$HOME_IN/venv"
  as_root "$HOME_IN/venv/bin/pip" install --retries 5 --no-cache-dir "netbox==$NETBOX_VERSION"
}

# configuration prints NetBox's configuration.py.
configuration() {
  cat <<'CONFIGURATION'
import os

ALLOWED_HOSTS = ['*']
DATABASES = {'default': {'NAME': 'netbox', 'USER': 'netbox', 'HOST': '/run/netbox', 'CONN_MAX_AGE': 300}}
REDIS = {name: {'URL': f'unix:///run/netbox/redis.sock?db={number}', 'DATABASE': number}
         for number, name in enumerate(('tasks', 'caching'))}
SECRET_KEY = 'test-only-' + 'x' * 50
API_TOKEN_PEPPERS = {1: 'test-only-pepper-' + 'y' * 50}
ISOLATED_DEPLOYMENT = True
CENSUS_REPORTING_ENABLED = False
MAX_PAGE_SIZE = int(os.environ.get('NETBOX_MAX_PAGE_SIZE', '1000'))
ENFORCE_GLOBAL_UNIQUE = os.environ.get('NETBOX_ENFORCE_GLOBAL_UNIQUE', '1') == '1'
# NetBox queues a search index job per written row; on its own queue a webhook overtakes them.
QUEUE_MAPPINGS = {'webhook': os.environ.get('NETBOX_WEBHOOK_QUEUE', 'default')}
FIELD_CHOICES = {'ipam.IPAddress.status+': (('quarantine', 'Quarantine', 'red'),)}
CONFIGURATION
}

# prepare_folders makes what the processes need beside their data, and drops what a crash left.
prepare_folders() {
  local folder
  rm -rf "$ROOT/run/netbox"
  for folder in "$HOME_IN/conf" "$HOME_IN/media" "$HOME_IN/reports" "$HOME_IN/scripts" "$HOME_IN/static" /run/netbox; do
    install -d -o "$SERVER_UID" -g "$SERVER_UID" -m 0700 "$ROOT$folder"
  done
  configuration >"$ROOT$HOME_IN/conf/configuration.py"
  chown "$SERVER_UID:$SERVER_UID" "$ROOT$HOME_IN" "$ROOT$HOME_IN/conf/configuration.py"
}

# Step 3: the pristine database, with its users and tokens.
database() {
  trap stop_all EXIT
  prepare_folders
  rm -rf "$ROOT/srv/postgres" "$ROOT/srv/postgres.pristine"
  install -d -o "$SERVER_UID" -g "$SERVER_UID" -m 0700 "$ROOT/srv/postgres"
  as_server /usr/lib/postgresql/17/bin/initdb --pgdata=/srv/postgres --username=netbox \
    --auth=peer --encoding=UTF8 --locale=C.UTF-8 --no-sync
  # A crash may destroy this data: every start copies the pristine state anyway.
  cat >>"$ROOT/srv/postgres/postgresql.conf" <<'SETTINGS'
listen_addresses = ''
unix_socket_directories = '/run/netbox'
dynamic_shared_memory_type = mmap
shared_buffers = 256MB
fsync = off
synchronous_commit = off
full_page_writes = off
SETTINGS
  launch_stores
  as_server /usr/bin/createdb --host=/run/netbox netbox
  as_server netbox migrate --no-input
  as_server env "DJANGO_SUPERUSER_PASSWORD=$ADMIN_PASSWORD" \
    netbox createsuperuser --no-input --username admin --email admin@example.com
  as_server netbox nbshell -c "
from users.models import Token, User
admin = User.objects.get(username='admin')
Token(user=admin, version=1, token='$V1_TOKEN').save()
Token(user=admin, version=2, key='$V2_KEY', token='$V2_SECRET').save()
assert Token.objects.count() == 2"
  as_server /usr/lib/postgresql/17/bin/vacuumdb --host=/run/netbox --analyze netbox
  stop_all
  mv "$ROOT/srv/postgres" "$ROOT/srv/postgres.pristine"
}

install_all() {
  local began=$SECONDS
  [[ $(id -u) == 0 ]] || fail "install needs root (debootstrap, mount namespaces)"
  if ! stamped system; then
    stop_all
    rm -f "$CACHE"/*.stamp
    timed "Debian $SUITE root" system
    stamp system
  fi
  if ! stamped packages; then
    stop_all
    rm -f "$CACHE/packages.stamp" "$CACHE/database.stamp"
    timed "Python packages of NetBox $NETBOX_VERSION" packages
    stamp packages
  fi
  if ! stamped database; then
    stop_all
    rm -f "$CACHE/database.stamp"
    timed "pristine database" database
    stamp database
  fi
  say "NetBox $NETBOX_VERSION is installed in $CACHE ($((SECONDS - began)) s)"
}

# A pid file holds the pid and the start time of its process, so that a pid used again after a
# crash or reboot is never taken for ours.
start_time() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name, field 2, may hold blanks and brackets: count from behind it. Field 3 is the state,
  # field 22 the start time.
  read -r -a fields <<<"${stat##*) }"
  [[ ${fields[0]} != Z ]] || return 1
  echo "${fields[19]}"
}

alive() {
  local pid began
  [[ -f $RUN/$1.pid ]] || return 1
  read -r pid began <"$RUN/$1.pid" || return 1
  [[ $(start_time "$pid") == "$began" ]]
}

# launch NAME COMMAND... starts a process of the server account in a session of its own.
launch() {
  local name=$1 pid
  shift
  # 9 is the lock of this script: a process that kept it would hold it for ever.
  (inside "$SERVER_UID:$SERVER_UID" env "HOME=$HOME_IN" setsid "$@") </dev/null >"$LOG/$name.log" 2>&1 9>&- &
  pid=$!
  disown "$pid"
  echo "$pid $(start_time "$pid")" >"$RUN/$name.pid"
}

# await NAME COMMAND... polls until the command succeeds, at most WAIT_SECS, and no longer than the
# process called NAME lives.
await() {
  local name=$1 deadline=$((SECONDS + WAIT_SECS))
  shift
  until "$@" >/dev/null 2>&1; do
    if ! alive "$name" || ((SECONDS >= deadline)); then
      tail -n 20 "$LOG/$name.log" >&2
      fail "$name does not answer, see $LOG/$name.log"
    fi
    sleep 0.1
  done
}

launch_stores() {
  launch postgres /usr/lib/postgresql/17/bin/postgres -D /srv/postgres
  launch redis /usr/bin/redis-server --port 0 --unixsocket /run/netbox/redis.sock \
    --dir /run/netbox --save '' --appendonly no
  await postgres as_server /usr/bin/pg_isready --quiet --host=/run/netbox
  await redis as_server /usr/bin/redis-cli -s /run/netbox/redis.sock ping
}

api_answers() {
  curl --noproxy '*' --silent --fail --max-time 10 --header "Authorization: Bearer nbt_$V2_KEY.$V2_SECRET" "$URL/api/status/"
}

worker_listens() {
  api_answers | grep -q '"rq-workers-running":[1-9]'
}

start_all() {
  local began=$SECONDS process
  for process in system packages database; do
    stamped "$process" || fail "not installed: run netbox.sh install first"
  done
  if all_alive; then
    say "already running"
  else
    stop_all
    ! (: <"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null || fail "port $PORT is taken by another process: set NETBOX_PORT"
    prepare_folders
    rm -rf "$ROOT/srv/postgres"
    cp -a --reflink=auto "$ROOT/srv/postgres.pristine" "$ROOT/srv/postgres"
    launch_stores
    launch gunicorn "$HOME_IN/venv/bin/gunicorn" --bind "127.0.0.1:$PORT" --workers 3 --threads 3 \
      --timeout 120 --worker-tmp-dir /run/netbox netbox.wsgi
    # NetBox queues a job per written row, and a process for each cost as much as the API itself.
    launch rqworker "$HOME_IN/venv/bin/netbox" rqworker --worker-class rq.worker.SimpleWorker high default low
  fi
  await gunicorn api_answers
  await rqworker worker_listens
  say "NetBox answers at $URL after $((SECONDS - began)) s"
  print_env
}

readonly processes=(rqworker gunicorn redis postgres)

all_alive() {
  local name
  for name in "${processes[@]}"; do
    alive "$name" || return 1
  done
}

# stop_all ends our processes, the users of the stores before the stores.
stop_all() {
  local name signal pid began deadline
  for name in "${processes[@]}"; do
    if alive "$name"; then
      read -r pid began <"$RUN/$name.pid"
      signal=TERM
      [[ $name != postgres ]] || signal=INT # TERM would wait for its clients
      kill "-$signal" "$pid" 2>/dev/null || true
      deadline=$((SECONDS + 30))
      while alive "$name"; do
        if ((SECONDS >= deadline)); then
          say "$name ignores $signal, killing it"
          kill -KILL "$pid" 2>/dev/null || true
          deadline=$((SECONDS + 30))
        fi
        sleep 0.05
      done
    fi
    rm -f "$RUN/$name.pid"
  done
}

reset_all() {
  if all_alive; then
    stop_all
    start_all
  else
    stop_all
    say "not running: the next start begins with the pristine database"
  fi
}

print_env() {
  (
    umask 077
    printf '%s\n' "nbt_$V2_KEY.$V2_SECRET" >"$CACHE/token-v2"
    printf '%s\n' "$V1_TOKEN" >"$CACHE/token-v1"
  )
  printf 'export NETBOX_URL=%q\n' "$URL"
  printf 'export NETBOX_TOKEN_FILE=%q\n' "$CACHE/token-v2"
  printf 'export NETBOX_TOKEN_V1_FILE=%q\n' "$CACHE/token-v1"
}

show_status() {
  local name status=0
  for name in "${processes[@]}"; do
    if alive "$name"; then
      printf '%-9s pid %s\n' "$name" "$(cut -d' ' -f1 "$RUN/$name.pid")"
    else
      printf '%-9s not running\n' "$name"
      status=1
    fi
  done
  return "$status"
}

main() {
  case ${1:-} in
  install | start | stop | env | reset | status) ;;
  -h | --help | help) usage; return ;;
  *) usage >&2; exit 2 ;;
  esac
  mkdir -p "$RUN" "$LOG"
  chmod 0711 "$CACHE"
  collect_environment
  # One command at a time works on a cache folder.
  exec 9>"$CACHE/lock"
  flock 9
  case $1 in
  install) install_all ;;
  start) start_all ;;
  stop) stop_all ;;
  env) print_env ;;
  reset) reset_all ;;
  status) show_status ;;
  esac
}

# On one line: the file may be replaced while this runs.
main "$@"; exit
