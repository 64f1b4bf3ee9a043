//! The text of a configuration as a tree: layers, their arguments and line numbers.

use std::iter::Peekable;
use std::str::CharIndices;

use super::ConfigError;

/// A layer as it is written: `Conv2d(3, 32, kernel_size=(3, 3))`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Written {
    pub(super) kind: String,
    pub(super) args: Vec<Given>,
    pub(super) line: usize,
}

/// An argument as it is written: with or without a name, a value or a layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    pub(super) name: Option<String>,
    /// Whether it is written as a child layer, `(name): layer`.
    pub(super) is_child: bool,
    pub(super) value: Value,
    pub(super) line: usize,
}

impl Given {
    /// Whether this is a child layer: one with brackets or a name in brackets, or a word that is not an
    /// argument's value.
    pub(super) fn is_layer(&self) -> bool {
        match &self.value {
            Value::Layer(_) => true,
            Value::Text(text) => {
                self.is_child || self.name.is_none() && text.starts_with(|c: char| c.is_ascii_uppercase())
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Layer(Written),
}

/// A token of the text.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name or a number.
    Word(String),
    /// A quoted text.
    Quoted(String),
    Mark(char),
}

/// Parses one layer, or several that make up a `Sequential`: one per line, or separated by `|` or commas.
pub(super) fn parse(text: &str) -> Result<Written, ConfigError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let args = parser.arguments()?;
    if let Some((line, token)) = parser.tokens.get(parser.at) {
        return Err(ConfigError::new(*line, format!("unmatched {}", show(token))));
    }
    match <[Given; 1]>::try_from(args) {
        Ok([Given { name: None, value: Value::Layer(layer), .. }]) if layer.kind == "Sequential" => Ok(layer),
        Ok(args) => Ok(sequential(args.into())),
        Err(args) => Ok(sequential(args)),
    }
}

fn sequential(args: Vec<Given>) -> Written {
    Written { kind: "Sequential".to_owned(), args, line: 1 }
}

/// The words and marks, each with its line number.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ConfigError> {
    let (mut tokens, mut line) = (Vec::new(), 1);
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        match c {
            '\n' => line += 1,
            '#' => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            c if c.is_whitespace() => {}
            '(' | ')' | ',' | '=' | ':' | '|' => tokens.push((line, Token::Mark(c))),
            '\'' | '"' => {
                let Some(quoted) = quoted(c, chars.by_ref().map(|(_, c)| c)) else {
                    return Err(ConfigError::new(line, format!("unterminated text: {c} is not closed")));
                };
                tokens.push((line, Token::Quoted(quoted)));
            }
            c if is_of_word(c) => {
                let end = end_of_word(&mut chars, start + c.len_utf8());
                tokens.push((line, Token::Word(text[start..end].to_owned())));
            }
            c => return Err(ConfigError::new(line, format!("unexpected character {c:?}"))),
        }
    }
    Ok(tokens)
}

/// What a letter after a backslash means in a quoted text. Before any other, the backslash is one.
pub(super) const ESCAPES: [(char, char); 5] =
    [('n', '\n'), ('r', '\r'), ('\'', '\''), ('"', '"'), ('\\', '\\')];

/// The text up to the closing `mark`; `None` if the line ends before it.
fn quoted(mark: char, mut chars: impl Iterator<Item = char>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\n' => return None,
            c if c == mark => return Some(text),
            '\\' => {
                let letter = chars.next().filter(|c| *c != '\n')?;
                match ESCAPES.iter().find(|(escape, _)| *escape == letter) {
                    Some((_, meant)) => text.push(*meant),
                    None => text.extend(['\\', letter]),
                }
            }
            c => text.push(c),
        }
    }
}

/// Whether the text is read as one word.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_of_word)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "_.+-".contains(c)
}

fn end_of_word(chars: &mut Peekable<CharIndices<'_>>, mut end: usize) -> usize {
    while let Some((at, c)) = chars.next_if(|(_, c)| is_of_word(*c)) {
        end = at + c.len_utf8();
    }
    end
}

fn show(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Quoted(text) => format!("`{text}`"),
        Token::Mark(c) => format!("`{c}`"),
    }
}

/// How deeply layers may be nested; the limit protects the stack from malicious input.
const MAX_DEPTH: usize = 64;

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
}

impl Parser {
    /// Arguments up to a closing bracket or the end.
    fn arguments(&mut self) -> Result<Vec<Given>, ConfigError> {
        self.arguments_within(0)
    }

    fn arguments_within(&mut self, depth: usize) -> Result<Vec<Given>, ConfigError> {
        if depth > MAX_DEPTH {
            let message = format!("layers are nested more than {MAX_DEPTH} levels deep");
            return Err(ConfigError::new(self.line(), message));
        }
        let mut args = Vec::new();
        loop {
            while self.eat(',') || self.eat('|') {}
            match self.peek(0) {
                None | Some(Token::Mark(')')) => return Ok(args),
                Some(_) => args.push(self.argument(depth)?),
            }
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Given, ConfigError> {
        let line = self.line();
        let (name, is_child) = match (self.peek(0), self.peek(1), self.peek(2), self.peek(3)) {
            // name=value
            (Some(Token::Word(name)), Some(Token::Mark('=')), ..) => {
                let name = name.clone();
                self.at += 2;
                (Some(name), false)
            }
            // (name): layer, in quotes if the name is not a word
            (
                Some(Token::Mark('(')),
                Some(Token::Word(name) | Token::Quoted(name)),
                Some(Token::Mark(')')),
                Some(Token::Mark(':')),
            ) => {
                let name = name.clone();
                self.at += 4;
                (Some(name), true)
            }
            _ => (None, false),
        };
        Ok(Given { name, is_child, value: self.value(depth)?, line })
    }

    fn value(&mut self, depth: usize) -> Result<Value, ConfigError> {
        let line = self.line();
        match self.next() {
            Some(Token::Quoted(text)) => Ok(Value::Text(text)),
            Some(Token::Word(word)) => {
                let kind = word.strip_prefix("torch.").unwrap_or(&word);
                let kind = kind.strip_prefix("nn.").unwrap_or(kind).to_owned();
                if self.line() != line || !self.eat('(') {
                    return Ok(Value::Text(kind));
                }
                let args = self.arguments_within(depth + 1)?;
                self.expect_end(line, &kind)?;
                Ok(Value::Layer(Written { kind, args, line }))
            }
            Some(Token::Mark('(')) => {
                let mut parts = Vec::new();
                loop {
                    while self.eat(',') {}
                    match self.peek(0) {
                        Some(Token::Word(word)) => parts.push(word.clone()),
                        _ => break,
                    }
                    self.at += 1;
                }
                self.expect_end(line, "(")?;
                Ok(Value::Text(format!("({})", parts.join(", "))))
            }
            Some(token) => {
                Err(ConfigError::new(line, format!("expected a layer or a value, found {}", show(&token))))
            }
            None => Err(ConfigError::new(line, "expected a layer or a value, found the end of the text")),
        }
    }

    fn expect_end(&mut self, opened: usize, what: &str) -> Result<(), ConfigError> {
        if self.eat(')') {
            return Ok(());
        }
        let found = self.peek(0).map_or("the end of the text".to_owned(), show);
        let message = format!("expected `)` to close `{what}` of line {opened}, found {found}");
        Err(ConfigError::new(self.line(), message))
    }

    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|(_, token)| token)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek(0).cloned();
        self.at += 1;
        token
    }

    fn eat(&mut self, mark: char) -> bool {
        let is_there = self.peek(0) == Some(&Token::Mark(mark));
        self.at += usize::from(is_there);
        is_there
    }

    /// The line of the next token, or of the last.
    fn line(&self) -> usize {
        let last = self.tokens.len().saturating_sub(1);
        self.tokens.get(self.at.min(last)).map_or(1, |(line, _)| *line)
    }
}
