//! Code as the tokens that libtorch's lexer sees (`torch/csrc/jit/frontend/lexer.h`), as far as the checks need them. What
//! the lexer refuses may come out as anything: nothing behind it is parsed.

/// A piece of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name, keyword or number.
    Word(&'a [u8]),
    /// A literal in quotes.
    Text,
    /// A single character of anything else.
    Mark(u8),
    /// The next statement begins, with this many blanks in front of it.
    Line(usize),
}

pub(super) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    /// Open brackets: lines do not end within them.
    brackets: usize,
    /// Lines without code in front of the last token. The lexer calls itself for each.
    pub gap: usize,
}

/// The comment that is code: what follows is parsed as a type.
const TYPE_COMMENT: &[u8] = b"# type:";

impl<'a> Tokens<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, brackets: 0, gap: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) -> usize {
        let blanks = self.rest().iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)).count();
        self.at += blanks;
        blanks
    }

    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        self.gap += 1;
    }

    fn skip_line(&mut self) {
        self.at += self.rest().iter().take_while(|b| **b != b'\n').count();
    }

    /// Skips lines with nothing on them; returns the next one's indentation.
    fn next_line(&mut self) -> usize {
        loop {
            let blanks = self.skip_blanks();
            match self.rest() {
                [b'\n', ..] => self.skip(1),
                [b'#', ..] if !self.rest().starts_with(TYPE_COMMENT) => self.skip_line(),
                _ => return blanks,
            }
        }
    }

    fn word(&mut self) -> Token<'a> {
        let text = self.rest();
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let mut length = text.iter().take_while(|b| is_part(b)).count();
        if text[0].is_ascii_digit() {
            length = number(text);
        }
        self.at += length;
        Token::Word(&text[..length])
    }

    /// A literal, or its first quote where it does not end.
    fn literal(&mut self, quote: u8) -> Token<'a> {
        let text = self.rest();
        let width = if text.starts_with(&[quote; 3]) { 3 } else { 1 };
        let mut end = width;
        while !text.get(end..).is_some_and(|rest| rest.starts_with(&[quote; 3][..width])) {
            match text.get(end) {
                Some(b'\n') if width == 1 => return self.mark(quote),
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => return self.mark(quote),
            }
        }
        self.at += end + width;
        Token::Text
    }

    fn mark(&mut self, byte: u8) -> Token<'a> {
        self.at += 1;
        match byte {
            b'(' | b'[' | b'{' => self.brackets += 1,
            b')' | b']' | b'}' => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        Token::Mark(byte)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.gap = 0;
        loop {
            self.skip_blanks();
            match *self.rest() {
                [] => return None,
                [b'\\', b'\n', ..] => self.skip(2),
                [b'#', ..] if self.rest().starts_with(TYPE_COMMENT) => {
                    self.at += TYPE_COMMENT.len();
                    return Some(Token::Mark(b'#'));
                }
                [b'#', ..] => self.skip_line(),
                [b'\n', ..] if self.brackets > 0 => self.skip(1),
                [b'\n', ..] => {
                    self.skip(1);
                    return Some(Token::Line(self.next_line()));
                }
                [quote @ (b'"' | b'\''), ..] => return Some(self.literal(quote)),
                [first, ..] if first.is_ascii_alphanumeric() || first == b'_' => return Some(self.word()),
                [other, ..] => return Some(self.mark(other)),
            }
        }
    }
}

/// Length of a number: `12`, `1.5e-05`. What is behind it can be a word: `1if a else b`.
fn number(text: &[u8]) -> usize {
    let digits = |start: usize| text[start..].iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let length = digits(0);
    let exponent = match text.get(length..) {
        Some([b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..]) => 2 + digits(length + 2),
        Some([b'e' | b'E', b'0'..=b'9', ..]) => 1 + digits(length + 1),
        _ => 0,
    };
    length + exponent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token<'_>> {
        Tokens::new(text.as_bytes()).collect()
    }

    #[test]
    fn brackets_in_literals_and_comments_are_no_code() {
        assert_eq!(
            tokens("\"((\" '((' \"\"\"(\"\n(\"\"\" # ((\n"),
            [Token::Text, Token::Text, Token::Text, Token::Line(0)]
        );
        assert_eq!(tokens("# \"\n("), [Token::Line(0), Token::Mark(b'(')]);
        assert_eq!(tokens("'\\'(' # type:("), [Token::Text, Token::Mark(b'#'), Token::Mark(b'(')]);
        assert_eq!(tokens("'(\n"), [Token::Mark(b'\''), Token::Mark(b'(')]);
    }

    #[test]
    fn lines_have_their_indentation_and_brackets_join_them() {
        let words = |text| tokens(text).iter().filter(|t| matches!(t, Token::Line(_))).copied().collect::<Vec<_>>();
        assert_eq!(words("a\n\n  # note\n  b\nc"), [Token::Line(2), Token::Line(0)]);
        assert_eq!(words("f(a,\n  b)\n\tc\\\n d"), [Token::Line(1)]);
    }

    #[test]
    fn numbers_are_one_word() {
        assert_eq!(tokens("1.5e-05+a"), [Token::Word(b"1.5e-05"), Token::Mark(b'+'), Token::Word(b"a")]);
        assert_eq!(tokens("1if"), [Token::Word(b"1"), Token::Word(b"if")]);
    }
}
