//! The cryptography against the examples of the specifications, which others signed.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::auth::jwt::provider;

/// RFC 7515, A.2.
const RS256_MODULUS: &str = concat!(
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd",
    "2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7W",
    "TBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs9",
    "1kzk2PAcDTW9gb54h4FRWyuXpoQ",
);

/// RFC 7515, A.2.
const RS256: &str = concat!(
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290",
    "Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5ju",
    "jGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRm",
    "B_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5A",
    "XLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
);

/// RFC 7515, A.3.
const ES256: &str = concat!(
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290",
    "Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
);

/// RFC 8037, A.4.
const EDDSA: &str = concat!(
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhi",
    "jcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
);

/// Verifies a token, as given and with one bit of its message changed.
fn verify(jwk: Value, algorithm: Algorithm, token: &str) -> [bool; 2] {
    let key = DecodingKey::from_jwk(&Jwk::deserialize(jwk).unwrap()).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut changed = message.as_bytes().to_vec();
    changed[0] ^= 1;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let verifier = (provider().verifier_factory)(&algorithm, &key).unwrap();
    [message.as_bytes(), &changed].map(|message| verifier.verify(message, &signature).is_ok())
}

#[test]
fn signatures_of_the_specifications_are_verified() {
    let rsa = json!({"kty": "RSA", "e": "AQAB", "n": RS256_MODULUS});
    let ec = json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    assert_eq!(verify(rsa, Algorithm::RS256, RS256), [true, false]);
    assert_eq!(verify(ec, Algorithm::ES256, ES256), [true, false]);
    assert_eq!(verify(ed, Algorithm::EdDSA, EDDSA), [true, false]);
}

#[test]
fn nothing_is_signed_and_secrets_do_not_verify() {
    assert!((provider().signer_factory)(&Algorithm::HS256, &EncodingKey::from_secret(b"secret")).is_err());
    let (secret, point) = (DecodingKey::from_secret(&[4; 65]), DecodingKey::from_ec_der(&[4; 65]));
    for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        assert!((provider().verifier_factory)(&algorithm, &secret).is_err(), "{algorithm:?}");
    }
    for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::EdDSA] {
        assert!((provider().verifier_factory)(&algorithm, &point).is_err(), "{algorithm:?}");
    }
}
