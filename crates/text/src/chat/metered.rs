//! A template with a meter in it: what its expressions make goes through the filters of [`super::meter`], and text outside
//! of tags is written as an expression's is. Nothing else changes.
//!
//! minijinja's syntax tree can be read and made, but not changed, so that it is made anew.

use minijinja::machinery::{Span, ast};
use minijinja::{Error, ErrorKind, Value};

use super::meter::{CONCAT, KEEP, LIST, REPEAT, WEIGH};

use ast::{BinOpKind, CallArg, Expr, Spanned, Stmt};

/// The template with its meter.
pub(super) fn template<'a>(template: &Stmt<'a>) -> Result<Stmt<'a>, Error> {
    macro_rules! new {
        ($name:ident, $old:expr, $($field:ident: $value:expr),* $(,)?) => {
            Stmt::$name(Spanned::new(ast::$name { $($field: $value),* }, $old.span()))
        };
    }
    Ok(match template {
        Stmt::Template(s) => new!(Template, s, children: body(&s.children)?),
        Stmt::EmitExpr(s) => new!(EmitExpr, s, expr: emitted(&s.expr)?),
        Stmt::EmitRaw(s) => {
            let text = Expr::Const(Spanned::new(ast::Const { value: Value::from(s.raw) }, s.span()));
            new!(EmitExpr, s, expr: text)
        }
        Stmt::ForLoop(s) => new!(ForLoop, s,
            target: target(&s.target)?,
            iter: expr(&s.iter)?,
            filter_expr: optional(s.filter_expr.as_ref())?,
            recursive: s.recursive,
            body: body(&s.body)?,
            else_body: body(&s.else_body)?,
        ),
        Stmt::IfCond(s) => new!(IfCond, s,
            expr: expr(&s.expr)?,
            true_body: body(&s.true_body)?,
            false_body: body(&s.false_body)?,
        ),
        Stmt::WithBlock(s) => {
            let assignments = s.assignments.iter().map(|(to, from)| Ok((target(to)?, expr(from)?)));
            new!(WithBlock, s, assignments: assignments.collect::<Result<_, Error>>()?, body: body(&s.body)?)
        }
        Stmt::Set(s) => {
            let value = expr(&s.expr)?;
            let value =
                if matches!(s.target, Expr::Var(_)) { value } else { filtered(KEEP, value, s.span()) };
            new!(Set, s, target: target(&s.target)?, expr: value)
        }
        Stmt::SetBlock(s) => {
            new!(SetBlock, s, target: target(&s.target)?, filter: optional(s.filter.as_ref())?, body: body(&s.body)?)
        }
        Stmt::AutoEscape(s) => new!(AutoEscape, s, enabled: expr(&s.enabled)?, body: body(&s.body)?),
        Stmt::FilterBlock(s) => new!(FilterBlock, s, filter: expr(&s.filter)?, body: body(&s.body)?),
        Stmt::Block(s) => new!(Block, s, name: s.name, required: s.required, body: body(&s.body)?),
        Stmt::Macro(s) => Stmt::Macro(macro_declaration(s)?),
        Stmt::CallBlock(s) => {
            new!(CallBlock, s, call: call(&s.call)?, macro_decl: macro_declaration(&s.macro_decl)?)
        }
        Stmt::Do(s) => new!(Do, s, call: call(&s.call)?),
        Stmt::Continue(s) => Stmt::Continue(Spanned::new(ast::Continue, s.span())),
        Stmt::Break(s) => Stmt::Break(Spanned::new(ast::Break, s.span())),
        Stmt::Import(_) | Stmt::FromImport(_) | Stmt::Extends(_) | Stmt::Include(_) => {
            return Err(Error::new(ErrorKind::TemplateNotFound, "a chat template has no other templates"));
        }
    })
}

fn body<'a>(statements: &[Stmt<'a>]) -> Result<Vec<Stmt<'a>>, Error> {
    statements.iter().map(template).collect()
}

fn macro_declaration<'a>(old: &Spanned<ast::Macro<'a>>) -> Result<Spanned<ast::Macro<'a>>, Error> {
    let declaration = ast::Macro {
        name: old.name,
        args: old.args.iter().map(target).collect::<Result<_, _>>()?,
        defaults: exprs(&old.defaults)?,
        body: body(&old.body)?,
    };
    Ok(Spanned::new(declaration, old.span()))
}

/// What is assigned to: a name, an attribute, or a list of those.
fn target<'a>(old: &Expr<'a>) -> Result<Expr<'a>, Error> {
    match old {
        Expr::List(s) => {
            let items = s.items.iter().map(target).collect::<Result<_, _>>()?;
            Ok(Expr::List(Spanned::new(ast::List { items }, s.span())))
        }
        other => plain(other),
    }
}

/// An expression that is written; loops and blocks that are called there write for themselves.
fn emitted<'a>(old: &Expr<'a>) -> Result<Expr<'a>, Error> {
    if matches!(old, Expr::Call(_)) { plain(old) } else { expr(old) }
}

/// An expression, and what it makes through the meter.
fn expr<'a>(old: &Expr<'a>) -> Result<Expr<'a>, Error> {
    let new = plain(old)?;
    let by = match old {
        Expr::Call(_) | Expr::Tuple(_) | Expr::List(_) | Expr::Map(_) => WEIGH,
        Expr::Filter(_) | Expr::Slice(_) => LIST,
        Expr::BinOp(s) if matches!(s.op, BinOpKind::Add) => LIST,
        _ => return Ok(new),
    };
    Ok(filtered(by, new, old.span()))
}

/// An expression whose parts go through the meter, but not itself.
fn plain<'a>(old: &Expr<'a>) -> Result<Expr<'a>, Error> {
    macro_rules! new {
        ($name:ident, $old:expr, $($field:ident: $value:expr),* $(,)?) => {
            Expr::$name(Spanned::new(ast::$name { $($field: $value),* }, $old.span()))
        };
    }
    Ok(match old {
        Expr::Var(s) => new!(Var, s, id: s.id),
        Expr::Const(s) => new!(Const, s, value: s.value.clone()),
        Expr::Slice(s) => new!(Slice, s,
            expr: expr(&s.expr)?,
            start: optional(s.start.as_ref())?,
            stop: optional(s.stop.as_ref())?,
            step: optional(s.step.as_ref())?,
        ),
        Expr::UnaryOp(s) => {
            let is_not = matches!(s.op, ast::UnaryOpKind::Not);
            let op = if is_not { ast::UnaryOpKind::Not } else { ast::UnaryOpKind::Neg };
            new!(UnaryOp, s, op: op, expr: expr(&s.expr)?)
        }
        Expr::BinOp(s) => {
            let (left, right) = (expr(&s.left)?, expr(&s.right)?);
            let by = match s.op {
                BinOpKind::Concat => CONCAT,
                BinOpKind::Mul => REPEAT,
                op => return Ok(new!(BinOp, s, op: op, left: left, right: right)),
            };
            new!(Filter, s, name: by, expr: Some(left), args: vec![CallArg::Pos(right)])
        }
        Expr::Compare(s) => {
            let ops = s.ops.iter().map(|other| Ok(ast::CompareOp { op: other.op, expr: expr(&other.expr)? }));
            new!(Compare, s, expr: expr(&s.expr)?, ops: ops.collect::<Result<_, Error>>()?)
        }
        Expr::IfExpr(s) => new!(IfExpr, s,
            test_expr: expr(&s.test_expr)?,
            true_expr: expr(&s.true_expr)?,
            false_expr: optional(s.false_expr.as_ref())?,
        ),
        Expr::Filter(s) => {
            new!(Filter, s, name: s.name, expr: optional(s.expr.as_ref())?, args: args(&s.args)?)
        }
        Expr::Test(s) => new!(Test, s, name: s.name, expr: expr(&s.expr)?, args: args(&s.args)?),
        Expr::GetAttr(s) => new!(GetAttr, s, expr: expr(&s.expr)?, name: s.name),
        Expr::GetItem(s) => {
            new!(GetItem, s, expr: expr(&s.expr)?, subscript_expr: expr(&s.subscript_expr)?)
        }
        Expr::Call(s) => Expr::Call(call(s)?),
        Expr::List(s) => new!(List, s, items: exprs(&s.items)?),
        Expr::Tuple(s) => new!(Tuple, s, items: exprs(&s.items)?),
        Expr::Map(s) => new!(Map, s, keys: exprs(&s.keys)?, values: exprs(&s.values)?),
    })
}

fn call<'a>(old: &Spanned<ast::Call<'a>>) -> Result<Spanned<ast::Call<'a>>, Error> {
    if let Expr::GetAttr(method) = &old.expr
        && method.name == "cycle"
        && !old.args.iter().any(|arg| matches!(arg, CallArg::Pos(_)))
    {
        // minijinja divides by their number.
        return Err(Error::new(ErrorKind::MissingArgument, "cycle() needs values to go through"));
    }
    let called = match &old.expr {
        // What is called must still be seen to be a method.
        Expr::GetAttr(_) | Expr::Var(_) => plain(&old.expr)?,
        other => expr(other)?,
    };
    Ok(Spanned::new(ast::Call { expr: called, args: args(&old.args)? }, old.span()))
}

fn args<'a>(old: &[CallArg<'a>]) -> Result<Vec<CallArg<'a>>, Error> {
    let arg = |arg: &CallArg<'a>| {
        Ok(match arg {
            CallArg::Pos(value) => CallArg::Pos(expr(value)?),
            CallArg::Kwarg(name, value) => CallArg::Kwarg(name, expr(value)?),
            CallArg::PosSplat(value) => CallArg::PosSplat(expr(value)?),
            CallArg::KwargSplat(value) => CallArg::KwargSplat(expr(value)?),
        })
    };
    old.iter().map(arg).collect()
}

fn exprs<'a>(old: &[Expr<'a>]) -> Result<Vec<Expr<'a>>, Error> {
    old.iter().map(expr).collect()
}

fn optional<'a>(old: Option<&Expr<'a>>) -> Result<Option<Expr<'a>>, Error> {
    old.map(expr).transpose()
}

fn filtered<'a>(by: &'a str, value: Expr<'a>, span: Span) -> Expr<'a> {
    Expr::Filter(Spanned::new(ast::Filter { name: by, expr: Some(value), args: Vec::new() }, span))
}
