"""The language as JSON Schema, for editors: completion, descriptions and first checks as one types.

Made from the same structs by which files are read. References, conditions and all that spans more
than one place are `huitou playbook check`'s alone.
"""

import types
from typing import Any, Union, get_args, get_origin

from models.playbook.keys import Key, Part, head_of, keys_of
from models.playbook.playbook import Playbook

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Schema of a playbook file."""
    definitions: dict[str, Any] = {}
    root = _part(Playbook, definitions)
    return {
        "$schema": DIALECT,
        "title": "Huitou playbook",
        **definitions.pop(root["$ref"].rpartition("/")[2]),
        "$defs": definitions,
    }


def _part(part: type[Part], definitions: dict[str, Any]) -> dict[str, Any]:
    name = part.__name__
    if name not in definitions:
        definitions[name] = {}
        properties = {
            spec.key: {"description": spec.declared.said}
            | _described(spec.default)
            | _schema(spec.type, spec.declared, definitions)
            for spec in keys_of(part)
        }
        definitions[name] = {
            "type": "object",
            "description": " ".join((part.__doc__ or "").split()),
            "properties": properties,
            "required": [spec.key for spec in keys_of(part) if spec.required],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def _described(default: Any) -> dict[str, Any]:
    """Defaults that read in the file as they are in the struct."""
    return {"default": default} if isinstance(default, bool) else {}


def _schema(type_: Any, declared: Key, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(type_), get_args(type_)
    if origin in (types.UnionType, Union):
        kept = [one for one in arguments if one is not type(None)]
        if _is_part(kept[0]) and len(kept) > 1:
            return {"anyOf": [_part(one, definitions) for one in sorted(kept, key=head_of)]}
        type_, origin, arguments = kept[0], get_origin(kept[0]), get_args(kept[0])
    if origin is tuple:
        item = _schema(arguments[0], declared, definitions)
        return {"anyOf": [item, {"type": "array", "items": item}]}
    if origin is dict:
        values = _schema(arguments[1], declared, definitions)
        names = declared.names.schema if declared.names else {}
        return {"type": "object", "propertyNames": names, "additionalProperties": values}
    if _is_part(type_):
        return _part(type_, definitions)
    return dict(declared.kind.schema) if declared.kind else {}


def _is_part(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, Part)
