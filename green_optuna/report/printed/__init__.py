"""A study for a paper: figures with Matplotlib, tables in LaTeX and Markdown."""

from green_optuna.report.printed.files import FRONT_ENDINGS, front_file, save_figures

__all__ = ["FRONT_ENDINGS", "front_file", "save_figures"]
