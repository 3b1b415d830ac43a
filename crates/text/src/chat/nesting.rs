//! How deep a template's source nests. minijinja bounds brackets and blocks, but not chains such as `a + a + …` or
//! `{% elif %}`, which its parser nests too: every pass over what it makes of them takes stack by their length.

use minijinja::Error;
use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::meter::Exceeded;

/// Operators, calls and brackets that may stand in each other. The longest chains of published templates have some 30.
const MAX_OPERATORS: usize = 200;

/// Branches that one `if` may have.
const MAX_BRANCHES: usize = 200;

/// Refuses a source that nests too deep to be compiled.
pub(super) fn check(source: &str, syntax: SyntaxConfig) -> Result<(), Error> {
    // Operators since the last comma, for each bracket that is open.
    let mut operators = vec![0];
    // Branches of each `if` that is open.
    let mut branches = vec![0];
    let mut first = false;
    for token in tokenize(source, false, syntax) {
        let Ok((token, _)) = token else {
            // The parser finds it again, and says where it is.
            return Ok(());
        };
        let starts = std::mem::take(&mut first);
        match token {
            Token::VariableStart | Token::BlockStart => {
                operators = vec![0];
                first = true;
            }
            Token::Ident("if") if starts => branches.push(0),
            Token::Ident("elif") if starts => count(&mut branches),
            Token::Ident("endif") if starts && branches.len() > 1 => drop(branches.pop()),
            Token::Comma => operators.last_mut().into_iter().for_each(|count| *count = 0),
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                count(&mut operators);
                operators.push(0);
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose if operators.len() > 1 => {
                operators.pop();
            }
            Token::TemplateData(_)
            | Token::Str(_)
            | Token::String(_)
            | Token::Int(_)
            | Token::Int128(_)
            | Token::Float(_)
            | Token::Colon
            | Token::Assign => {}
            Token::Ident(word) if !OPERATORS.contains(&word) => {}
            _ => count(&mut operators),
        }
        let most = branches.last().copied().unwrap_or_default();
        if operators.iter().sum::<usize>() > MAX_OPERATORS || most > MAX_BRANCHES {
            return Err(Exceeded("nests deeper").into());
        }
    }
    Ok(())
}

/// Words that take operands.
const OPERATORS: [&str; 7] = ["not", "and", "or", "is", "in", "if", "else"];

fn count(list: &mut [usize]) {
    list.last_mut().into_iter().for_each(|count| *count += 1);
}
