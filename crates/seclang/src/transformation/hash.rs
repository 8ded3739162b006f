//! `md5` and `sha1`: raw digests, as identifiers and never as protection; rules follow them with `hexEncode`.

use sha1::Digest as _;

pub(super) fn md5(value: &[u8]) -> Vec<u8> {
    md5::Md5::digest(value).to_vec()
}

pub(super) fn sha1(value: &[u8]) -> Vec<u8> {
    sha1::Sha1::digest(value).to_vec()
}
