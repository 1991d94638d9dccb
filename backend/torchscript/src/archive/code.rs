//! Checks code before libtorch's parser sees it: how deep it nests, and that none of it would run while the file is loaded.
//!
//! The parser calls itself for each level of nesting, and so do the compiler and the destructors behind it. Where code runs
//! at load, a file could do what libtorch can: `torch.from_file` alone writes files.

use super::tokens::{Token, Tokens};

/// Brackets inside each other in one statement.
const MAX_NESTING: usize = 200;
/// Tokens of one statement between two commas, in all brackets around a place together: each can be a level of the tree that
/// the parser makes (`a + a + a`, `not not a`, `a.b.c`).
const MAX_CHAIN: usize = 4000;
/// Blocks inside each other, and branches of one `if`: each `elif` is a block in the `else` before it.
const MAX_BLOCKS: usize = 200;
/// Lines without code between two lines with code.
const MAX_GAP: usize = 10_000;
/// Bytes of a name or number. Those of a network say where a module is.
const MAX_WORD: usize = 2000;

/// What a value that is computed at load may call: these make values and do nothing.
const HARMLESS: [&[&[u8]]; 4] = [&[b"annotate"], &[b"float"], &[b"complex"], &[b"torch", b"device"]];

/// Counts `def` and `class` over all files, since a function that is compiled has the next one compiled in between.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    pub count: usize,
}

/// Refuses code that would overflow a stack, and code that would run while the file is loaded.
pub(super) fn check(text: &[u8], definitions: &mut Definitions) -> Result<(), String> {
    let mut check = Check::default();
    walk(text, |token| check.token(token))?;
    definitions.count += check.definitions;
    Ok(())
}

/// Refuses a text that libtorch would parse as a type or an expression, where it nests too deep.
pub(super) fn check_expression(text: &[u8]) -> Result<(), String> {
    walk(text, |_| Ok(()))
}

fn walk<'a>(text: &'a [u8], mut visit: impl FnMut(Token<'a>) -> Result<(), String>) -> Result<(), String> {
    let mut nesting = Nesting::default();
    let mut tokens = Tokens::new(text);
    loop {
        let token = tokens.next();
        if tokens.gap > MAX_GAP {
            return Err(format!("has more than {MAX_GAP} consecutive blank lines"));
        }
        let Some(token) = token else {
            return Ok(());
        };
        nesting.token(token)?;
        visit(token)?;
    }
}

/// How deep the tree of a statement can get.
#[derive(Debug)]
struct Nesting {
    /// Tokens since the last comma, by bracket.
    chains: Vec<usize>,
    /// Their sum.
    depth: usize,
}

impl Default for Nesting {
    fn default() -> Self {
        Self { chains: vec![0], depth: 0 }
    }
}

impl Nesting {
    fn token(&mut self, token: Token) -> Result<(), String> {
        match token {
            Token::Line(_) => {
                self.chains.truncate(1);
                self.depth = 0;
                self.chains[0] = 0;
                return Ok(());
            }
            Token::Mark(b'(' | b'[' | b'{') => {
                self.chains.push(0);
                if self.chains.len() > MAX_NESTING {
                    return Err(format!("nests brackets more than {MAX_NESTING} levels deep"));
                }
            }
            Token::Mark(b')' | b']' | b'}') if self.chains.len() > 1 => {
                self.depth -= self.chains.pop().unwrap_or(0);
            }
            Token::Mark(b',') => {
                if let Some(chain) = self.chains.last_mut() {
                    self.depth -= std::mem::take(chain);
                }
                return Ok(());
            }
            _ => {}
        }
        if let Token::Word(word) = token
            && word.len() > MAX_WORD
        {
            return Err(format!("has a name longer than {MAX_WORD} bytes"));
        }
        if let Some(chain) = self.chains.last_mut() {
            *chain += 1;
        }
        self.depth += 1;
        if self.depth > MAX_CHAIN { Err(format!("has an expression with more than {MAX_CHAIN} parts")) } else { Ok(()) }
    }
}

/// What the body of a block is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Body {
    Class,
    Statements,
}

/// Where in a statement the check is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Place {
    /// At its first token.
    #[default]
    Start,
    /// In a statement of a function, which runs only when it is called.
    Function,
    /// In the head of a function: default values stand in it.
    Head,
    /// In the statement of a class or a file, before `=`.
    Declared,
    /// In a value that libtorch computes while it reads the code: of an argument, or of a class.
    Default,
    Constant,
}

#[derive(Debug)]
struct Check<'a> {
    /// Indentation and body of the blocks around the statement.
    blocks: Vec<(usize, Body)>,
    /// Body of the block that begins if the next line is indented deeper.
    next: Body,
    place: Place,
    brackets: usize,
    /// The name that ends here, `torch.device` as two words; empty behind anything else.
    name: Vec<&'a [u8]>,
    /// Whether a bracket that opens here would call what stands before it.
    can_be_called: bool,
    branches: usize,
    definitions: usize,
}

impl Default for Check<'_> {
    fn default() -> Self {
        Self {
            blocks: vec![(0, Body::Class)],
            next: Body::Class,
            place: Place::Start,
            brackets: 0,
            name: Vec::new(),
            can_be_called: false,
            branches: 0,
            definitions: 0,
        }
    }
}

impl<'a> Check<'a> {
    fn token(&mut self, token: Token<'a>) -> Result<(), String> {
        match token {
            Token::Line(indentation) => return self.line(indentation),
            Token::Word(b"__setstate__") => {
                return Err("runs code when it is loaded (`__setstate__`), as quantised modules do".into());
            }
            Token::Word(b"elif") => {
                self.branches += 1;
                if self.branches > MAX_BLOCKS {
                    return Err(format!("has more than {MAX_BLOCKS} consecutive branches"));
                }
            }
            _ => {}
        }
        match self.place {
            Place::Start => self.begin(token),
            Place::Function => {}
            Place::Head | Place::Default if self.brackets == 1 && token == Token::Mark(b')') => {
                self.place = Place::Function;
            }
            Place::Default if self.brackets == 1 && token == Token::Mark(b',') => self.place = Place::Head,
            Place::Head if self.brackets == 1 && token == Token::Mark(b'=') => self.place = Place::Default,
            Place::Declared if self.brackets == 0 && token == Token::Mark(b'=') => self.place = Place::Constant,
            Place::Head | Place::Declared => {}
            Place::Default | Place::Constant => self.computed(token)?,
        }
        self.follow(token);
        Ok(())
    }

    /// A new line: blocks end and begin.
    fn line(&mut self, indentation: usize) -> Result<(), String> {
        while self.blocks.len() > 1 && self.blocks.last().is_some_and(|(outer, _)| indentation < *outer) {
            self.blocks.pop();
        }
        if self.blocks.last().is_some_and(|(outer, _)| indentation > *outer) {
            self.blocks.push((indentation, self.next));
        }
        if self.blocks.len() > MAX_BLOCKS {
            return Err(format!("nests blocks more than {MAX_BLOCKS} levels deep"));
        }
        (self.place, self.brackets, self.can_be_called) = (Place::Start, 0, false);
        self.name.clear();
        Ok(())
    }

    fn begin(&mut self, token: Token) {
        let body = self.blocks.last().map_or(Body::Class, |(_, body)| *body);
        self.next = Body::Statements;
        match token {
            Token::Word(b"class") => {
                (self.definitions, self.next, self.place) = (self.definitions + 1, Body::Class, Place::Declared);
            }
            Token::Word(b"def") => {
                (self.definitions, self.branches, self.place) = (self.definitions + 1, 0, Place::Head);
            }
            _ if body == Body::Class => self.place = Place::Declared,
            _ => self.place = Place::Function,
        }
    }

    /// Values that are computed at load are constants as libtorch prints them: literals, and what makes them.
    fn computed(&self, token: Token) -> Result<(), String> {
        match token {
            Token::Mark(b'(') if self.can_be_called && !HARMLESS.contains(&self.name.as_slice()) => {
                let words: Vec<_> = self.name.iter().map(|word| String::from_utf8_lossy(word)).collect();
                Err(format!("calls `{}` in an expression that is evaluated while the file is loaded", words.join(".")))
            }
            Token::Mark(b'*' | b'/' | b'%' | b'+' | b'@' | b'<' | b'>' | b'&' | b'|' | b'^' | b'~')
            | Token::Word(b"for" | b"in") => {
                Err("contains an expression that is evaluated while the file is loaded".into())
            }
            _ => Ok(()),
        }
    }

    fn follow(&mut self, token: Token<'a>) {
        let is_dotted = !self.can_be_called && !self.name.is_empty();
        match token {
            Token::Mark(b'(' | b'[' | b'{') => self.brackets += 1,
            Token::Mark(b')' | b']' | b'}') => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        match token {
            Token::Word(word) if is_dotted => self.name.push(word),
            Token::Word(word) => self.name = vec![word],
            Token::Mark(b'.') if self.can_be_called && !self.name.is_empty() => {}
            _ => self.name.clear(),
        }
        let is_value = matches!(token, Token::Word(_) | Token::Text | Token::Mark(b')' | b']' | b'}'));
        self.can_be_called = is_value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said about the body of a function.
    fn inside(statement: &str) -> String {
        refusal(&format!("def f(a, x):\n  {statement}"))
    }

    fn refusal(text: &str) -> String {
        check(text.as_bytes(), &mut Definitions::default()).unwrap_err()
    }

    fn accepted(text: &str) {
        assert_eq!(check(text.as_bytes(), &mut Definitions::default()), Ok(()), "{text}");
    }

    /// A class with a member.
    fn class(member: &str) -> String {
        format!(
            "class Net(Module):\n  __parameters__ = [\"w\", ]\n  w : Tensor\n{member}\n  def g(self) -> int:\n    return 1\n"
        )
    }

    #[test]
    fn code_that_would_overflow_the_parser_is_refused() {
        assert!(inside(&"(".repeat(5000)).contains("deep"));
        assert!(inside(&format!("x = a{}", "+a".repeat(5000))).contains("parts"));
        assert!(inside(&format!("x = {}a", "not ".repeat(5000))).contains("parts"));
        assert!(inside(&format!("x = {}a", "-".repeat(5000))).contains("parts"));
        assert!(inside(&format!("x = a{}", ".a".repeat(5000))).contains("parts"));
        assert!(inside(&format!("({}", "a+".repeat(20)).repeat(150)).contains("parts"));
        let blocks: String = (0..300).map(|depth| format!("{}if a:\n", " ".repeat(depth))).collect();
        assert!(refusal(&blocks).contains("blocks"));
        assert!(refusal(&format!("if a:\n  pass\n{}", "elif a:\n  pass\n".repeat(300))).contains("branches"));
        assert!(refusal(&"n".repeat(5000)).contains("name"));
        assert!(refusal(&"# note\n".repeat(20_000)).contains("blank lines"));
        assert!(refusal(&format!("a{}", "\n".repeat(20_000))).contains("blank lines"));
        assert!(refusal(&format!("f({}", "\n".repeat(20_000))).contains("blank lines"));
    }

    #[test]
    fn nothing_hides_behind_comments_and_literals() {
        let bomb = "(".repeat(5000);
        assert!(inside(&format!("# \"\n  x = {bomb}")).contains("deep"));
        assert!(inside(&format!("x = \"\"\"\"\"\"{bomb}")).contains("deep"));
        assert!(inside(&format!("x = a # type: {bomb}")).contains("deep"));
        assert!(inside(&format!("x = 'a\\\\'{bomb}'")).contains("deep"));
        accepted(&format!("def f(a):\n  x = \"{bomb}\"\n  y = (1, [2, 3]) # {bomb}\n"));
    }

    #[test]
    fn long_lists_and_texts_are_no_nesting() {
        accepted(&format!("class A:\n  def f(self):\n    x = [{}]\n", "1, ".repeat(100_000)));
        accepted(&format!("class A:\n  def f(self):\n    x = \"{}\"\n", "a ".repeat(100_000)));
    }

    #[test]
    fn code_that_would_run_at_load_is_refused() {
        for spelling in
            ["def __setstate__(self, s):", "def  __setstate__(self, s):", "def\\\n\t__setstate__ (self, s):"]
        {
            assert!(refusal(&class(&format!("  {spelling}\n    pass"))).contains("__setstate__"), "{spelling}");
        }
        for value in [
            "torch.from_file(\"f\", True, 9)",
            "(torch.ones([1]))[torch.size(a)]",
            "__torch__.own.float(1)",
            "__torch__.torch.device(1)",
            "[1, 2][f()]",
            "annotate(Tensor, torch.ones([9, 9]))",
            "[0] * 1000000000",
            "[i for i in range(9)]",
            "\"a\" + \"b\"",
        ] {
            assert!(refusal(&class(&format!("  c : Final[int] = {value}"))).contains("while the file"), "{value}");
            assert!(refusal(&class(&format!("  c = {value}"))).contains("while the file"), "{value}");
            let with_default = format!("  def f(self, a: int, b: Tensor={value}, c: int=1) -> int:\n    return 1");
            assert!(refusal(&class(&with_default)).contains("while the file"), "{value}");
            assert!(refusal(&format!("def f(a: Tensor={value}):\n  return a")).contains("while the file"), "{value}");
            accepted(&class(&format!("  def f(self, a: int=1) -> int:\n    b = {value}\n    return b")));
        }
    }

    #[test]
    fn constants_as_libtorch_prints_them_are_accepted() {
        for value in [
            "3",
            "-1.5e-05",
            "1e+10",
            "None",
            "CONSTANTS.c0",
            "torch.device(\"cpu\")",
            "annotate(List[int], [])",
            "annotate(Optional[Tuple[int, int]], None)",
            "float(\"inf\")",
            "(1, [2, 3], {\"a\": inf})",
            "__torch__.Colour.RED",
        ] {
            accepted(&class(&format!("  c : Final[Dict[str, int]] = {value}")));
            accepted(&class(&format!(
                "  def f(self, a: int={value}, b: Optional[Tensor]={value}) -> int:\n    return 1"
            )));
        }
    }

    #[test]
    fn definitions_are_counted_over_files() {
        let mut definitions = Definitions::default();
        check(class("").as_bytes(), &mut definitions).unwrap();
        check(class("").as_bytes(), &mut definitions).unwrap();
        assert_eq!(definitions.count, 4);
    }
}
