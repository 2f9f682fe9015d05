#!/bin/sh
# Makes the secrets of the trial in compose.yaml, and tokens for it. It stands in for a CA, a secret store and an identity provider on
# one machine; none of its files is for production. Needs openssl 3.
#
#   trial.sh files DIRECTORY          makes what is missing or about to expire
#   trial.sh token DIRECTORY NAME     prints a token for a user of any name, valid for one hour
set -eu
umask 077

# The user of the container image.
service=65532
issuer=https://trial.invalid

encode() {
    openssl base64 -A | tr '+/' '-_' | tr -d '='
}

# The public key of the issuer, which is also its key id.
public_key() {
    openssl pkey -in issuer.key -pubout -outform DER | tail -c 32 | encode
}

new_key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

make_certificate() {
    new_key ca.key
    openssl req -x509 -key ca.key -days 30 -subj '/CN=cmgate trial CA, not for production' -out ca.pem \
        -addext keyUsage=critical,keyCertSign
    new_key server.key
    printf '%s\n' 'subjectAltName=DNS:localhost,DNS:cmgate,IP:127.0.0.1' extendedKeyUsage=serverAuth > server.ext
    openssl req -new -key server.key -subj '/CN=cmgate trial' |
        openssl x509 -req -CA ca.pem -CAkey ca.key -days 30 -extfile server.ext -out server.pem
    rm ca.key server.ext
}

make_files() {
    mkdir -p "$1"
    cd "$1"
    if [ ! -e database_url ]; then
        openssl rand -hex 16 > postgres_password
        printf 'postgres://cmgate:%s@postgres/cmgate\n' "$(cat postgres_password)" > database_url
    fi
    openssl x509 -checkend 172800 -noout -in server.pem > /dev/null 2>&1 || make_certificate
    [ -e issuer.key ] || openssl genpkey -algorithm ed25519 -out issuer.key
    key=$(public_key)
    printf '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"%s","kid":"%s","use":"sig","alg":"EdDSA"}]}\n' "$key" "$key" > jwks.json
    # Postgres and the service read their files as users of their own; the directory belongs to this trial alone.
    chmod 755 .
    chmod 644 postgres_password ca.pem server.pem jwks.json
    if [ "$(id -u)" = 0 ]; then
        chown "$service" server.key database_url
    fi
}

print_token() {
    cd "$1"
    now=$(date +%s)
    header=$(printf '{"alg":"EdDSA","typ":"at+jwt","kid":"%s"}' "$(public_key)" | encode)
    claims=$(printf '{"iss":"%s","aud":"cmgate","sub":"%s","iat":%d,"exp":%d}' "$issuer" "$2" "$now" $((now + 3600)) | encode)
    message=$(mktemp)
    trap 'rm -f "$message"' EXIT
    printf '%s.%s' "$header" "$claims" > "$message"
    printf '%s.%s.%s\n' "$header" "$claims" "$(openssl pkeyutl -sign -inkey issuer.key -rawin -in "$message" | encode)"
}

case "${1-} $#" in
'files 2') make_files "$2" ;;
'token 3') print_token "$2" "$3" ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 64
    ;;
esac
