"""Small pictures as SVG, drawn from plain numbers: points with a staircase, and stacked areas.

They stand in the HTML of a page as they are, so that they need no import, script, style sheet or
internet, and are still there in a notebook that is saved and opened elsewhere. Text and axes take
the colour of the text around them and there is no background, so that they suit a dark page. No
element has an id, which would clash with those of another picture on the page. Colours are never
all that tells two things apart: marks differ in shape, areas in the line on top of them.
"""

from green_optuna.sketch.areas import Area, stacked_areas
from green_optuna.sketch.axes import Axis
from green_optuna.sketch.points import Points, scatter

__all__ = ["Area", "Axis", "Points", "scatter", "stacked_areas"]
