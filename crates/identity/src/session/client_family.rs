//! What kind of client asks, as coarsely as it stays the same when a browser is updated: product and platform.
//!
//! `User-Agent` says whatever its sender likes. A change of it is a reason to ask again who that is, and nothing more.

/// Product and platform of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientFamily {
    product: String,
    platform: &'static str,
}

/// What browsers say, the ones that imitate others first.
const PRODUCTS: [(&str, &str); 7] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
const PLATFORMS: [&str; 7] = ["Windows", "Android", "iPhone", "iPad", "Macintosh", "CrOS", "Linux"];
/// Of the name of a client that is no browser.
const LONGEST: usize = 32;

impl ClientFamily {
    pub(crate) fn of(client: &str) -> Self {
        let product =
            PRODUCTS.iter().find(|(mark, _)| client.contains(mark)).map(|(_, name)| (*name).to_owned());
        let named = || client.split(['/', ' ']).next().unwrap_or_default().chars().take(LONGEST).collect();
        let platform = PLATFORMS.into_iter().find(|platform| client.contains(platform)).unwrap_or_default();
        Self { product: product.unwrap_or_else(named), platform }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_the_same_client_and_another_browser_is_not() {
        let chrome = |version: &str, platform: &str| {
            ClientFamily::of(&format!(
                "Mozilla/5.0 ({platform}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version} Safari/537.36"
            ))
        };
        assert_eq!(chrome("140.0.0.0", "X11; Linux x86_64"), chrome("141.0.1.0", "X11; Linux x86_64"));
        assert_ne!(
            chrome("140.0.0.0", "X11; Linux x86_64"),
            chrome("140.0.0.0", "Windows NT 10.0; Win64; x64")
        );
        let edge = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0";
        assert_ne!(chrome("140.0.0.0", "X11; Linux x86_64"), ClientFamily::of(edge));
        assert_eq!(ClientFamily::of("curl/8.5.0"), ClientFamily::of("curl/8.9.1"));
        assert_ne!(ClientFamily::of("curl/8.5.0"), ClientFamily::of("python-requests/2.31"));
        assert_eq!(ClientFamily::of(""), ClientFamily::of(""));
    }
}
