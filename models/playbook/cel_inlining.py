"""The plain parts of a condition in one Python function instead of one function each: it is speed.

The function is put together from Python's own syntax nodes, made here from a checked tree: no text
is evaluated, what a person wrote is in it as constants only. Whatever is not plain (arithmetic,
values of any type, `has`) is called as its own function, so nothing is decided here anew.
"""

import ast
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from models.playbook.cel_tree import Binary, Items, Literal, Logic, Node, Unary

Ask = Callable[[Any], Any]
_SCOPE = "scope"
_COMPARED: dict[str, ast.cmpop] = {
    "==": ast.Eq(),
    "!=": ast.NotEq(),
    "<": ast.Lt(),
    "<=": ast.LtE(),
    ">": ast.Gt(),
    ">=": ast.GtE(),
    "in": ast.In(),
}


def inlined(tree: Node, ask: Callable[[Node], Ask], is_plain: Callable[[Node], bool]) -> Ask:
    """One function for a condition; `ask` makes that of a part, `is_plain` says its type is known.

    The function raises what its parts raise, and does not look whether another part decides.
    """
    names: dict[str, Any] = {}
    body = _expression(tree, ask, is_plain, names)
    arguments = ast.arguments([], [ast.arg(_SCOPE)], None, [], [], None, [])
    program = ast.Expression(ast.Lambda(arguments, body))
    code = compile(ast.fix_missing_locations(program), "<condition>", "eval")
    own = next(one for one in code.co_consts if isinstance(one, CodeType))
    return FunctionType(own, names)


def _expression(
    node: Node, ask: Callable[[Node], Ask], is_plain: Callable[[Node], bool], names: dict[str, Any]
) -> ast.expr:
    def below(part: Node) -> ast.expr:
        return _expression(part, ask, is_plain, names)

    if isinstance(node, Literal):
        return ast.Constant(node.value)
    if isinstance(node, Logic) and all(map(is_plain, node.parts)):
        sign = ast.And() if node.sign == "&&" else ast.Or()
        return ast.BoolOp(sign, [below(part) for part in node.parts])
    if isinstance(node, Unary) and node.sign == "!" and is_plain(node.operand):
        return ast.UnaryOp(ast.Not(), below(node.operand))
    if isinstance(node, Binary) and node.sign in _COMPARED and _are_plain(node, is_plain):
        return ast.Compare(below(node.left), [_COMPARED[node.sign]], [_right(node.right, below)])
    name = f"part_{len(names)}"
    names[name] = ask(node)
    return ast.Call(ast.Name(name, ast.Load()), [ast.Name(_SCOPE, ast.Load())], [])


def _are_plain(node: Binary, is_plain: Callable[[Node], bool]) -> bool:
    """Whether Python compares both sides as CEL does: true is no number, a text equals a text."""
    if node.sign in ("==", "!=") and isinstance(node.right, Literal):
        return isinstance(node.right.value, str) or is_plain(node.left)
    return is_plain(node.left) and is_plain(node.right)


def _right(node: Node, below: Callable[[Node], ast.expr]) -> ast.expr:
    """What is compared with; a list of constants is one constant."""
    if isinstance(node, Items) and all(isinstance(item, Literal) for item in node.items):
        values = [item.value for item in node.items if isinstance(item, Literal)]
        return ast.List([ast.Constant(value) for value in values], ast.Load())
    return below(node)
