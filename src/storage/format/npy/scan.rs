//! Parses the text of a header, a Python dictionary of three entries, as NumPy, Python 2 and other writers produce it.

/// The entries of the dictionary.
pub(crate) struct Entries {
    pub(crate) shape: Vec<usize>,
    /// Whether the array is in Fortran order, where the first index runs fastest.
    pub(crate) fortran: bool,
    /// The type as the header writes it.
    pub(crate) descr: String,
}

/// Parses the text of a header: a Python dictionary of three entries.
pub(crate) struct Scan<'a>(pub(crate) &'a [u8]);

impl Scan<'_> {
    /// Returns the entries; `None` where the text is no such dictionary.
    pub(crate) fn entries(&mut self) -> Option<Entries> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        self.sign(b'{')?;
        while self.sign(b'}').is_none() {
            let key = self.quoted()?;
            self.sign(b':')?;
            match key.as_str() {
                "descr" => descr = Some(self.descr()?),
                "fortran_order" => fortran = Some(self.truth()?),
                "shape" => shape = Some(self.sizes()?),
                _ => return None,
            }
            if self.sign(b',').is_none() {
                self.sign(b'}')?;
                break;
            }
        }
        // Some writers pad with zeros.
        if self.0.iter().any(|&byte| byte != 0 && !byte.is_ascii_whitespace()) {
            return None;
        }
        Some(Entries { shape: shape?, fortran: fortran?, descr: descr? })
    }

    fn skip_space(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// Consumes this character if it is the next one.
    fn sign(&mut self, sign: u8) -> Option<()> {
        self.skip_space();
        self.0 = self.0.strip_prefix(&[sign])?;
        Some(())
    }

    /// Parses text between quotes, without quotes inside.
    fn quoted(&mut self) -> Option<String> {
        self.skip_space();
        // Python 2 puts a u in front of some strings.
        let rest = self.0.strip_prefix(b"u").unwrap_or(self.0);
        let (&quote, rest) = rest.split_first().filter(|(quote, _)| b"'\"".contains(quote))?;
        let end = rest.iter().position(|&byte| byte == quote)?;
        self.0 = &rest[end + 1..];
        let text = std::str::from_utf8(&rest[..end]).ok()?;
        (!text.contains('\\') && !text.contains(char::is_control)).then(|| text.to_owned())
    }

    /// Parses the type: text, or a list of fields, which is skipped.
    fn descr(&mut self) -> Option<String> {
        self.skip_space();
        if !self.0.starts_with(b"[") {
            return self.quoted();
        }
        let (mut depth, mut quote) = (0usize, None);
        for (at, &byte) in self.0.iter().enumerate() {
            match (quote, byte) {
                (Some(open), _) if open == byte => quote = None,
                (Some(_), _) => {}
                (None, b'\'' | b'"') => quote = Some(byte),
                (None, b'[' | b'(') => depth += 1,
                (None, b']' | b')') => depth = depth.checked_sub(1)?,
                _ => {}
            }
            if depth == 0 {
                self.0 = &self.0[at + 1..];
                return Some("[".to_owned());
            }
        }
        None
    }

    fn truth(&mut self) -> Option<bool> {
        self.skip_space();
        for (word, value) in [(&b"True"[..], true), (b"False", false), (b"1", true), (b"0", false)] {
            if let Some(rest) = self.0.strip_prefix(word) {
                self.0 = rest;
                return Some(value);
            }
        }
        None
    }

    /// Parses sizes between brackets; Python 2 puts an L behind each.
    fn sizes(&mut self) -> Option<Vec<usize>> {
        let close = if self.sign(b'(').is_some() { b')' } else { self.sign(b'[').map(|()| b']')? };
        let mut sizes = Vec::new();
        while self.sign(close).is_none() {
            self.skip_space();
            let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (number, rest) = self.0.split_at(digits);
            self.0 = rest.strip_prefix(b"L").unwrap_or(rest);
            sizes.push(std::str::from_utf8(number).ok()?.parse().ok()?);
            if self.sign(b',').is_none() {
                self.sign(close)?;
                break;
            }
        }
        Some(sizes)
    }
}
