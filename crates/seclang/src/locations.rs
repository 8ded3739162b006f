//! Where an address is on the map: what `@geoLookup` asks, and what `GEO` says of the answer.

use std::{fmt, net::IpAddr};

/// Knows where addresses are. `SecGeoLookupDb` names a file; who runs the rules reads it
/// ([`crate::RuleFiles::open_locations`]), so that this crate knows no format of databases.
pub trait Locations: fmt::Debug + Send + Sync {
    /// Where an address is, if that is known. It is asked while a request waits.
    fn locate(&self, address: IpAddr) -> Option<Location>;
}

/// Where an address is, as far as it is known. What is not known is no value of `GEO`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Location {
    /// `GEO:COUNTRY_CODE`, of two letters (ISO 3166-1).
    pub country_code: Option<String>,
    /// `GEO:COUNTRY_NAME`, in English.
    pub country_name: Option<String>,
    /// `GEO:COUNTRY_CONTINENT`, of two letters: `AF`, `AN`, `AS`, `EU`, `NA`, `OC`, `SA`.
    pub country_continent: Option<String>,
    /// `GEO:REGION`: the code of the largest part of the country (ISO 3166-2, behind the country's).
    pub region: Option<String>,
    /// `GEO:CITY`, in English.
    pub city: Option<String>,
    /// `GEO:POSTAL_CODE`
    pub postal_code: Option<String>,
    /// `GEO:LATITUDE`, in degrees to the north.
    pub latitude: Option<f64>,
    /// `GEO:LONGITUDE`, in degrees to the east.
    pub longitude: Option<f64>,
}

impl Location {
    /// The values of `GEO`.
    pub(crate) fn values(self) -> Vec<(&'static str, String)> {
        let degrees = |degrees: Option<f64>| degrees.map(|degrees| format!("{degrees:.6}"));
        let all = [
            ("COUNTRY_CODE", self.country_code),
            ("COUNTRY_NAME", self.country_name),
            ("COUNTRY_CONTINENT", self.country_continent),
            ("REGION", self.region),
            ("CITY", self.city),
            ("POSTAL_CODE", self.postal_code),
            ("LATITUDE", degrees(self.latitude)),
            ("LONGITUDE", degrees(self.longitude)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
