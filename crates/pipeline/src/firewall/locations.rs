//! The database that `@geoLookup` asks: a file in the format of `MaxMind`, as `GeoLite2`, `GeoIP2` and DB-IP have it.

use std::{
    fs::{self, File},
    io::{self, Read},
    net::IpAddr,
    path::Path,
    sync::Arc,
};

use bartizan_seclang::{Location, Locations};
use maxminddb::{
    Reader,
    geoip2::{City, Names},
};

/// The largest file: those of cities with everything have some 150 MB.
const LARGEST: u64 = 1 << 30;

/// A database that is read whole: the file may be replaced while it is used.
#[derive(Debug)]
struct MaxMind {
    reader: Reader<Vec<u8>>,
}

/// Opens the file.
pub(super) fn open(path: &Path) -> io::Result<Arc<dyn Locations>> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::other("it is larger than 1 GiB"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    let not_understood =
        |error| io::Error::other(format!("it is no database in the format of MaxMind: {error}"));
    let reader = Reader::from_source(bytes).map_err(not_understood)?;
    // One of networks or of companies knows nothing that `GEO` has.
    let kind = &reader.metadata().database_type;
    if !["City", "Country", "Enterprise", "Location"].iter().any(|known| kind.contains(known)) {
        return Err(io::Error::other(format!("`{kind}` is no database of countries or cities")));
    }
    Ok(Arc::new(MaxMind { reader }))
}

impl Locations for MaxMind {
    /// What cannot be read of a broken file is not known.
    fn locate(&self, address: IpAddr) -> Option<Location> {
        let record: City<'_> = self.reader.lookup(address).ok()?.decode().ok()??;
        let text = |text: Option<&str>| text.map(str::to_owned);
        let english = |names: &Names<'_>| text(names.english);
        Some(Location {
            country_code: text(record.country.iso_code),
            country_name: english(&record.country.names),
            country_continent: text(record.continent.code),
            region: record.subdivisions.first().and_then(|region| text(region.iso_code)),
            city: english(&record.city.names),
            postal_code: text(record.postal.code),
            latitude: record.location.latitude,
            longitude: record.location.longitude,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Kinds of values, as they stand above their length.
    const TEXT: u8 = 2 << 5;
    const DEGREES: u8 = 3 << 5;
    const NUMBER: u8 = 5 << 5;
    const LARGE_NUMBER: u8 = 6 << 5;
    const MAP: u8 = 7 << 5;
    /// These two stand behind it, without the seven that have room above.
    const MOMENT: u8 = 9 - 7;
    const LIST: u8 = 11 - 7;

    /// A text, in the data of a database.
    fn text(text: &str) -> Vec<u8> {
        let length = u8::try_from(text.len()).unwrap();
        assert!(length < 29, "longer ones are written otherwise");
        [&[TEXT | length], text.as_bytes()].concat()
    }

    fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let entry = |(name, value): &(&str, Vec<u8>)| [text(name), value.clone()].concat();
        let length = u8::try_from(entries.len()).unwrap();
        [vec![MAP | length], entries.iter().flat_map(entry).collect()].concat()
    }

    fn list(values: &[Vec<u8>]) -> Vec<u8> {
        [vec![u8::try_from(values.len()).unwrap(), LIST], values.concat()].concat()
    }

    fn number(value: u16) -> Vec<u8> {
        [&[NUMBER | 2], &value.to_be_bytes()[..]].concat()
    }

    fn large_number(value: u32) -> Vec<u8> {
        [&[LARGE_NUMBER | 4], &value.to_be_bytes()[..]].concat()
    }

    fn moment(seconds: u64) -> Vec<u8> {
        [&[8, MOMENT], &seconds.to_be_bytes()[..]].concat()
    }

    fn degrees(value: f64) -> Vec<u8> {
        [&[DEGREES | 8], &value.to_be_bytes()[..]].concat()
    }

    fn names(english: &str) -> Vec<u8> {
        map(&[("names", map(&[("en", text(english))]))])
    }

    /// A database that knows where `192.0.2.1` is.
    pub(in super::super) fn database(kind: &str) -> Vec<u8> {
        let record = map(&[
            ("city", names("Cologne")),
            ("continent", map(&[("code", text("EU"))])),
            ("country", map(&[("iso_code", text("DE")), ("names", map(&[("en", text("Germany"))]))])),
            ("location", map(&[("latitude", degrees(50.9375)), ("longitude", degrees(6.9603))])),
            ("postal", map(&[("code", text("50667"))])),
            ("subdivisions", list(&[map(&[("iso_code", text("NW"))])])),
        ]);
        // A tree of one node for each bit of the address: whoever takes the other way is not known.
        let bits = u32::from_be_bytes([192, 0, 2, 1]);
        let nodes = 32_u32;
        let node = |depth: u32| {
            let next = if depth == nodes - 1 { nodes + 16 } else { depth + 1 };
            let mut branches = [nodes; 2];
            branches[usize::from((bits >> (31 - depth)) & 1 == 1)] = next;
            branches.map(|branch| branch.to_be_bytes()[1..].to_vec()).concat()
        };
        let tree: Vec<u8> = (0..nodes).flat_map(node).collect();
        let about = map(&[
            ("binary_format_major_version", number(2)),
            ("binary_format_minor_version", number(0)),
            ("build_epoch", moment(1)),
            ("database_type", text(kind)),
            ("description", map(&[])),
            ("ip_version", number(4)),
            ("languages", list(&[])),
            ("node_count", large_number(nodes)),
            ("record_size", number(24)),
        ]);
        [tree, vec![0; 16], record, b"\xab\xcd\xefMaxMind.com".to_vec(), about].concat()
    }

    fn opened(bytes: &[u8]) -> Result<Arc<dyn Locations>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("places.mmdb");
        fs::write(&file, bytes).unwrap();
        open(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn a_database_knows_where_addresses_are() {
        let locations = opened(&database("Test-City")).unwrap();
        let text = |text: &str| Some(text.to_owned());
        let cologne = Location {
            country_code: text("DE"),
            country_name: text("Germany"),
            country_continent: text("EU"),
            region: text("NW"),
            city: text("Cologne"),
            postal_code: text("50667"),
            latitude: Some(50.9375),
            longitude: Some(6.9603),
        };
        assert_eq!(locations.locate([192, 0, 2, 1].into()), Some(cologne));
        for other in ["192.0.2.2", "0.0.0.0", "255.255.255.255", "2001:db8::1"] {
            assert_eq!(locations.locate(other.parse().unwrap()), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_such_database_is_refused() {
        let whole = database("Test-City");
        let refused = |bytes: &[u8]| opened(bytes).unwrap_err();
        assert!(refused(b"DE").starts_with("it is no database in the format of MaxMind"));
        assert!(
            refused(&whole[..whole.len() - 40]).starts_with("it is no database in the format of MaxMind")
        );
        assert_eq!(refused(&database("Test-ASN")), "`Test-ASN` is no database of countries or cities");
        assert!(open(Path::new("/nowhere.mmdb")).is_err());
    }
}
