"""A field schema → the label config of its Label Studio project. Pure.

Everything fits a laptop's screen: the fields in a rail on the left that stays in view, the page as wide as
the window. Label Studio offers no other way to style its editor than ``<Style>`` on its own classes.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from db.projects import FieldRow
from db.regions import ABSENT, IMAGE, LABEL, NOTES, STATUS, TEXT
from ml_backend.screen_texts import DEFAULT_LANGUAGE, shown_rows, texts_of

STATUSES = (("OK", "o"), ("Second look", "l"), ("Wrong type", "k"), ("Unreadable", "j"))
# Keys Label Studio uses itself: V, H, M, R, U; O, L, K and J choose the status.
_KEYS = "1234567890qwetypasdfgzxcbni"

OUR_MARK = '<View className="fl">'
"""What every config of ours begins with."""

_STYLE = """
.lsf-label-view__table { display:none !important; }
.lsf-label-view__lsf-wrapper { width:100% !important; }
.fl { display:flex; gap:10px; align-items:flex-start; }
.fl-rail { flex:0 0 262px; position:sticky; top:0; max-height:calc(100vh - 152px); overflow-y:auto; font-size:13px; }
.fl-page { flex:1 1 auto; min-width:0; }
.fl-rail .lsf-labels { margin:2px 0 4px; gap:3px; padding:0; }
.fl-rail .lsf-label { font-size:12px; padding:0 5px; margin:0; min-height:22px; height:22px; line-height:20px; }
.fl-rail h4 { margin:6px 0 1px !important; font-size:12px !important; line-height:16px !important; opacity:.7; }
.fl-warn { background:#fff4d6; border-left:4px solid #e6a100; border-radius:4px; padding:3px 8px; color:#4a3800; }
.fl-warn p, .fl-warn li { margin:0; font-size:12px; line-height:16px; }
.fl-warn ul { margin:0; padding-left:14px; }
.fl-rail .lsf-choices { margin:0; gap:0 8px; }
.fl-rail .lsf-choice__item { margin:0; }
.fl-rail .lsf-choice__item span { font-size:12px; }
.fl-rail .lsf-richtext, .fl-rail .lsf-richtext * { font-size:12px !important; line-height:17px !important; }
.lsf-outliner .lsf-textarea-tag__input { font-size:14px !important; line-height:20px !important; }
"""


def label_config(rows: Sequence[FieldRow], language: str = DEFAULT_LANGUAGE) -> str:
    """The XML for these rows; the same rows give the same text.

    Reviewers read each field's label in ``language``; results hold its name, which is the label's alias.
    """
    texts = texts_of(language)
    lines = [
        f"    <Label {_named(name, text)}{_hotkey(position)} background={quoteattr(_colour(position))}/>"
        for position, (name, text) in enumerate(shown_rows(rows, language).items())
    ]
    choices = "".join(
        f"<Choice {_named(name, texts.statuses[name])} hotkey={quoteattr(key)}/>"
        for name, key in STATUSES
    )
    return f"""{OUR_MARK}
<Style>{_STYLE}</Style>
<View className="fl-rail">
  <View className="fl-warn" visibleWhen="choice-unselected" whenTagName="{STATUS}" whenChoiceValue={quoteattr(texts.statuses["OK"])}><Markdown value="$warnings"/></View>
  <HyperText name="look" value="$look" inline="true"/>
  <Header value={quoteattr(texts.fields)} size="5"/>
  <RectangleLabels name="{LABEL}" toName="{IMAGE}" smart="true" strokeWidth="2" opacity="0.12" canRotate="false" showInline="true">
{chr(10).join(lines)}
  </RectangleLabels>
  <TextArea name="{TEXT}" toName="{IMAGE}" perRegion="true" editable="true" displayMode="region-list" maxSubmissions="1" rows="1"/>
  <Header value={quoteattr(texts.status)} size="5"/>
  <Choices name="{STATUS}" toName="{IMAGE}" choice="single-radio" layout="inline">{choices}</Choices>
  <Header value={quoteattr(texts.absent)} size="5"/>
  <Choices name="{ABSENT}" toName="{IMAGE}" choice="multiple" layout="select" value="$absent_options"/>
  <TextArea name="{NOTES}" toName="{IMAGE}" rows="1" maxSubmissions="1" editable="true" placeholder={quoteattr(texts.notes)}/>
  <Collapse bordered="false" open="false"><Panel value={quoteattr(texts.how_to)}><HyperText name="help" value="$help" inline="true"/></Panel></Collapse>
</View>
<View className="fl-page"><Image name="{IMAGE}" valueList="$pages" zoom="true" zoomControl="true" width="100%" maxHeight="none"/></View>
</View>
"""


def _named(name: str, text: str) -> str:
    return f"value={quoteattr(text)} alias={quoteattr(name)}"


def _hotkey(position: int) -> str:
    return f" hotkey={quoteattr(_KEYS[position])}" if position < len(_KEYS) else ""


def _colour(position: int) -> str:
    """Colours as far apart as the golden angle puts them, dark enough for white text; no two are equal."""
    hue = (position * 0.381966 + 0.58) % 1.0
    lightness = (0.36, 0.46)[position % 2]
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.6)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
