"""Texts of others as LaTeX shows them: as they are."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from green_optuna.markup import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

# What LaTeX takes for more than a character, or shows as another one in its old encodings; and
# what pdfLaTeX does not know of what we write ourselves. In curly brackets, so that a space that
# follows stays one.
_IN_LATEX: Final[Mapping[str, str]] = MappingProxyType(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "_": r"\_",
        "%": r"\%",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\char34{}",  # for Babel makes commands of it
        "'": r"\textquotesingle{}",
        "`": r"\textasciigrave{}",
        "\N{SUBSCRIPT TWO}": r"\textsubscript{2}",
        "\N{MINUS SIGN}": "$-$",
    }
)


def in_latex(text: str) -> str:
    r"""Write a text so that LaTeX shows it as it is, in one line.

    Letters beyond ASCII stay: LaTeX reads UTF-8. It needs no package, of LaTeX of 2020 or later.

    >>> in_latex("50 % of $x_1$")
    '50 \\% of \\$x\\_1\\$'
    """
    written = "".join(_IN_LATEX.get(c, c) for c in one_line(text))
    # Two of them in a row would be one other character.
    return re.sub(r"([-,])(?=\1)", r"\1{}", written)
