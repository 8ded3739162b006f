//! `sign:` of an upstream: what the gateway signs requests with.

use crate::{
    SignatureAlgorithm, SigningMaterial, UpstreamSigning, file,
    problems::Problems,
    resolve::{
        files::Files,
        identity::signature::{check_id, check_secret, covered},
    },
};

pub(super) fn resolve(
    file: &file::Signing,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<UpstreamSigning> {
    let id = check_id(&file.id, problems);
    let (components, tag) = (covered(&file.components, problems), problems.read_optional(&file.tag));
    let (algorithm, material) = (file.algorithm.value, material(file, files, problems));
    let tag = tag.map(|tag| tag.value);
    Some(UpstreamSigning { id: id?, algorithm, material: material?, components, tag })
}

fn material(
    file: &file::Signing,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<SigningMaterial> {
    let (key, secret) = (problems.read_optional(&file.key), problems.read_optional(&file.secret));
    match (file.algorithm.value, key, secret) {
        (SignatureAlgorithm::HmacSha256, None, Some(secret)) => {
            let secret = secret.with(secret.value.0.clone());
            check_secret(&secret, problems);
            Some(SigningMaterial::Secret(secret.value))
        }
        (SignatureAlgorithm::HmacSha256, ..) if file.key.is_some() || file.secret.is_none() => {
            problems
                .error(file.algorithm.position, "`hmac-sha256` signs with a shared secret")
                .help("add `secret: ${SIGNING_SECRET}`, and leave `key` out");
            None
        }
        (algorithm, Some(key), None) if algorithm != SignatureAlgorithm::HmacSha256 => {
            Some(SigningMaterial::PrivateKey(files.key(&key, problems)))
        }
        (algorithm, ..) if file.secret.is_some() || file.key.is_none() => {
            let message = format!("`{}` signs with a private key", algorithm.as_str());
            problems
                .error(file.algorithm.position, message)
                .help("add `key: ./gateway.pem`, and leave `secret` out");
            None
        }
        _ => None,
    }
}
