# Run a command with a variable for each file of a folder of secrets: sh secrets.sh mlflow server
# For programs of others, which know secrets as variables alone; ours read the folder themselves.
set -eu
for file in "${FOURCYCLE_SECRETS:-/run/secrets/fourcycle}"/[A-Z]*; do
    name=${file##*/}
    if [ -f "$file" ] && [ -z "$(printenv "$name")" ]; then export "$name=$(cat "$file")"; fi
done
exec "$@"
