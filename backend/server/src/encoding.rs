//! Which content encoding a client takes, of those that the page's files are there in.

/// How a file is stored beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    /// The smaller one first.
    const ALL: [Encoding; 2] = [Encoding::Brotli, Encoding::Gzip];

    /// As `Content-Encoding` says it.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Brotli => "br",
            Encoding::Gzip => "gzip",
        }
    }

    /// What build.rs puts behind a file's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Encoding::Brotli => ".br",
            Encoding::Gzip => ".gz",
        }
    }

    /// The encodings that an `Accept-Encoding` header takes, the smaller one first. None without the header.
    pub fn accepted(header: &str) -> impl Iterator<Item = Encoding> {
        Self::ALL.into_iter().filter(move |encoding| weight(header, encoding.name()) > 0.0)
    }
}

/// The weight of an encoding in the header: that of its own name, else that of `*`, else none (RFC 9110, 12.5.3).
fn weight(header: &str, encoding: &str) -> f64 {
    let mut of_all = 0.0;
    for item in header.split(',') {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
        if name.eq_ignore_ascii_case(encoding) {
            return weight;
        }
        if name == "*" {
            of_all = weight;
        }
    }
    of_all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_chosen_that_the_client_takes() {
        let best = |header: &str| Encoding::accepted(header).next();
        for header in ["gzip, deflate, br, zstd", "br", "*", "gzip;q=1.0, br;q=0.5", "identity, BR"] {
            assert_eq!(best(header), Some(Encoding::Brotli), "{header}");
        }
        for header in ["gzip", "gzip;q=0.8, br;q=0", "deflate, gzip", "br; q=0, *"] {
            assert_eq!(best(header), Some(Encoding::Gzip), "{header}");
        }
        for header in ["", "identity", "deflate, zstd", "*;q=0", "br;q=0, gzip;q=0", "gzip;q=x"] {
            assert_eq!(best(header), None, "{header}");
        }
    }
}
