//! A JSON parser with the tolerance of Json.NET, against which legacy clients were tested.
//!
//! Beyond RFC 8259 it accepts comments, single and typographic quotes, unquoted names, trailing commas, control characters in
//! strings, NULs between tokens, `.5`, `5.`, `NaN`, `Infinity` and `undefined`. Every JSON text keeps its meaning, except that
//! .NET metadata is removed.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::Chars;

use super::metadata;
use super::value::Value;

/// Maximum nesting of arrays and objects. Bodies of the API have three levels.
const MAX_DEPTH: usize = 64;
/// Maximum number of values in one text; it bounds the memory for a body of many small values.
const MAX_VALUES: usize = 50_000;

/// Why a text is not JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    problem: String,
    line: usize,
    column: usize,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {}, column {}", self.problem, self.line, self.column)
    }
}

/// Parses a text that holds one value.
///
/// # Errors
/// [`SyntaxError`] if the text is not one value, is nested too deep or holds too many values.
pub(super) fn read(text: &str) -> Result<Value, SyntaxError> {
    let mut reader = Reader { text, rest: text.chars(), depth: 0, values: 0 };
    let value = reader.value()?;
    reader.skip_blanks()?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.error("more than one value")),
    }
}

struct Reader<'a> {
    text: &'a str,
    rest: Chars<'a>,
    depth: usize,
    values: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value, SyntaxError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(self.error(format!("more than {MAX_VALUES} values")));
        }
        self.skip_blanks()?;
        match self.peek() {
            None => Err(self.error("a value is missing")),
            Some('[') => self.nested(Self::array),
            Some('{') => self.nested(Self::object),
            Some(quote) if is_quote(quote) => self.string().map(Value::String),
            Some(c) if c.is_ascii_digit() || c == '-' || c == '.' => self.number(),
            Some(_) => self.word(),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Value, SyntaxError>) -> Result<Value, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        self.bump();
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, SyntaxError> {
        let mut items = Vec::new();
        while !self.take_blank_then(']')? {
            items.push(self.value()?);
            self.separator(']')?;
        }
        Ok(Value::Array(items))
    }

    fn object(&mut self) -> Result<Value, SyntaxError> {
        let mut members = Vec::new();
        while !self.take_blank_then('}')? {
            let name = self.name()?;
            if !self.take_blank_then(':')? {
                return Err(self.error("a colon is missing"));
            }
            members.push((name, self.value()?));
            self.separator('}')?;
        }
        Ok(metadata::strip(members))
    }

    /// Consumes the comma after a member; it is optional after the last one.
    fn separator(&mut self, end: char) -> Result<(), SyntaxError> {
        if self.take_blank_then(',')? || self.peek() == Some(end) {
            return Ok(());
        }
        Err(self.error(format!("a comma or {end} is missing")))
    }

    fn name(&mut self) -> Result<String, SyntaxError> {
        if self.peek().is_some_and(is_quote) {
            return self.string();
        }
        let name = self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '$');
        if name.is_empty() { Err(self.error("a name is missing")) } else { Ok(name) }
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let opening = self.bump();
        let is_end = |c: char| opening.is_some_and(|opening| closes(opening, c));
        let mut text = String::new();
        loop {
            // Plain text is copied in runs, since most strings have no escape.
            let rest = self.rest.as_str();
            let end = rest.find(|c| c == '\\' || is_end(c)).unwrap_or(rest.len());
            let (run, rest) = rest.split_at(end);
            text.push_str(run);
            self.rest = rest.chars();
            match self.bump() {
                None => return Err(self.error("an unterminated string")),
                Some('\\') => text.push(self.escape()?),
                Some(_) => return Ok(text),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        match self.bump() {
            Some(c @ ('"' | '\'' | '\\' | '/')) => Ok(c),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('u') => self.unicode_escape(),
            _ => Err(self.error("an unknown escape")),
        }
    }

    fn unicode_escape(&mut self) -> Result<char, SyntaxError> {
        let first = self.hex_unit()?;
        if let Some(c) = char::from_u32(first.into()) {
            return Ok(c);
        }
        let before = self.rest.clone();
        if self.take('\\') && self.take('u') {
            let second = self.hex_unit()?;
            if let Some(Ok(c)) = char::decode_utf16([first, second]).next() {
                return Ok(c);
            }
        }
        // The text after a lone surrogate is read on its own.
        self.rest = before;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex_unit(&mut self) -> Result<u16, SyntaxError> {
        let mut unit: u16 = 0;
        for _ in 0..4 {
            let digit = self.bump().and_then(|c| c.to_digit(16)).and_then(|digit| u16::try_from(digit).ok());
            let Some(digit) = digit else {
                return Err(self.error("an escape without four hexadecimal digits"));
            };
            unit = unit << 4 | digit;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<Value, SyntaxError> {
        let number = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
        if number == "-Infinity" || is_number(&number) {
            Ok(Value::Number(number))
        } else {
            Err(self.error("an invalid number"))
        }
    }

    fn word(&mut self) -> Result<Value, SyntaxError> {
        match self.take_while(|c| c.is_ascii_alphanumeric()).as_str() {
            "null" | "undefined" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            word @ ("NaN" | "Infinity") => Ok(Value::Number(word.to_owned())),
            _ => Err(self.error("an unexpected token")),
        }
    }

    fn skip_blanks(&mut self) -> Result<(), SyntaxError> {
        loop {
            match self.peek() {
                Some('/') => self.comment()?,
                Some(c) if c.is_whitespace() || c == '\0' => {
                    self.bump();
                }
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Result<(), SyntaxError> {
        self.bump();
        match self.bump() {
            Some('/') => {
                self.take_while(|c| c != '\n' && c != '\r');
                Ok(())
            }
            Some('*') => {
                while let Some(c) = self.bump() {
                    if c == '*' && self.take('/') {
                        return Ok(());
                    }
                }
                Err(self.error("an unterminated comment"))
            }
            _ => Err(self.error("an unexpected token")),
        }
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| belongs(*c)) {
            taken.push(c);
            self.bump();
        }
        taken
    }

    fn take_blank_then(&mut self, wanted: char) -> Result<bool, SyntaxError> {
        self.skip_blanks()?;
        Ok(self.take(wanted))
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.bump();
        }
        found
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn bump(&mut self) -> Option<char> {
        self.rest.next()
    }

    fn error(&self, problem: impl Into<String>) -> SyntaxError {
        let read = self.text.len() - self.rest.as_str().len();
        let (mut line, mut column) = (1, 1);
        for c in self.text.bytes().take(read) {
            // UTF-8 continuation bytes are not characters of their own.
            match c {
                b'\n' => (line, column) = (line + 1, 1),
                0x80..=0xBF => {}
                _ => column += 1,
            }
        }
        SyntaxError { problem: problem.into(), line, column }
    }
}

const fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'') || is_typographic(c)
}

/// Quotes that word processors substitute for plain ones; the walkthrough in the documents has them around names and values.
const fn is_typographic(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201F}')
}

/// Only the same plain quote closes a plain quote, so typographic quotes inside the string are kept.
const fn closes(opening: char, c: char) -> bool {
    match opening {
        '"' | '\'' => c == opening,
        '\u{2018}'..='\u{201B}' => matches!(c, '\'' | '\u{2018}'..='\u{201B}'),
        _ => matches!(c, '"' | '\u{201C}'..='\u{201F}'),
    }
}

/// Whether a text is a JSON number, or one without digits on one side of its dot.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
    let has_exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction) && !has_leading_zero && has_exponent
}
