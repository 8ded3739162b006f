//! `hardening:`.

use crate::{
    Hardening, Http2Limits, file, forms::Parsed, located::Optional, problems::Problems, word::ByteSize,
};

/// The largest limits that can be set, in bytes.
const MAX_HEADER: u32 = 1024 * 1024;
const MAX_URI: u32 = 64 * 1024;

pub(crate) fn resolve(hardening: &Optional<file::Hardening>, problems: &mut Problems<'_>) -> Hardening {
    let default = Hardening::default();
    let Some(file) = hardening.as_ref() else { return default };
    let mut connections = |key, optional: &Optional<Parsed<u32>>, default: usize| {
        let count = problems.count(key, optional, u32::try_from(default).unwrap_or(u32::MAX));
        usize::try_from(count).unwrap_or(usize::MAX)
    };
    let max_connections = connections("max_connections", &file.max_connections, default.max_connections);
    let connections_per_address = connections(
        "connections_per_address",
        &file.connections_per_address,
        default.connections_per_address,
    );
    let connections_per_prefix =
        connections("connections_per_prefix", &file.connections_per_prefix, default.connections_per_prefix);
    let max_header_count = connections("max_header_count", &file.max_header_count, default.max_header_count);
    let min_rate = problems.read_or(&file.min_rate, ByteSize(u64::from(default.min_rate))).0;
    Hardening {
        max_connections,
        connections_per_address,
        connections_per_prefix,
        handshake_timeout: problems.duration(
            "handshake_timeout",
            &file.handshake_timeout,
            default.handshake_timeout,
        ),
        header_timeout: problems.duration("header_timeout", &file.header_timeout, default.header_timeout),
        max_header_bytes: problems.memory(
            "max_header_bytes",
            &file.max_header_bytes,
            MAX_HEADER,
            default.max_header_bytes,
        ),
        max_uri_bytes: problems.memory("max_uri_bytes", &file.max_uri_bytes, MAX_URI, default.max_uri_bytes),
        max_header_count,
        min_rate: u32::try_from(min_rate).unwrap_or(u32::MAX),
        rate_window: problems.duration("rate_window", &file.rate_window, default.rate_window),
        max_held_bytes: problems.size("max_held_bytes", &file.max_held_bytes, default.max_held_bytes),
        max_requests_per_connection: problems.count(
            "max_requests_per_connection",
            &file.max_requests_per_connection,
            default.max_requests_per_connection,
        ),
        underscore_headers: file.underscore_headers.get().unwrap_or(default.underscore_headers),
        http2: file.http2.as_ref().map_or(default.http2, |http2| self::http2(http2, problems)),
    }
}

fn http2(file: &file::Http2, problems: &mut Problems<'_>) -> Http2Limits {
    let default = Http2Limits::default();
    Http2Limits {
        concurrent_streams: problems.count(
            "concurrent_streams",
            &file.concurrent_streams,
            default.concurrent_streams,
        ),
        resets: problems.count("resets", &file.resets, default.resets),
        control_frames: problems.count("control_frames", &file.control_frames, default.control_frames),
        continuations: problems.count("continuations", &file.continuations, default.continuations),
        window: problems.duration("window", &file.window, default.window),
    }
}
