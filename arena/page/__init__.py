"""What the live page and the static report share: look, templates, charts, formats. Pure.

formats        figures, times and untrusted text
scales         axes: round steps and the places of values
line_chart     lines over time, with the same data as a table
intervals      returns with their intervals on one axis
series         the line style of each agent
verdict_words  the judge's words in three sizes of type
environment    the templates, and the style sheet `static/base.css`
"""
