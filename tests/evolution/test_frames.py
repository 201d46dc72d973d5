"""Answers as frames: what goes in comes out, however the bytes arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.evolution.frames import Frame, Frames, last, packed

ANSWERS = st.builds(
    Frame,
    st.integers(0, 3),
    st.integers(200, 599),
    st.just(0.5),
    st.text("abc/%2F", max_size=9),
    st.binary(max_size=50) | st.integers(0, 2**20).map(bytes),
    st.booleans(),
)
"""What is compressed is not yet."""


@given(st.lists(ANSWERS, max_size=6), st.lists(st.integers(1, 2**18), min_size=1, max_size=9))
def test_frames_come_out_as_they_went_in(answers: list[Frame], sizes: list[int]) -> None:
    data = b"".join(
        b"".join(packed(one.server, one.status, one.seconds, one.path, one.data, compressed=one.compressed))
        for one in answers
    )
    data += last(2)
    frames, found, number = Frames(), list[Frame](), 0
    while data:
        room = frames.room()
        size = min(sizes[number % len(sizes)], len(room), len(data))
        room[:size], data = data[:size], data[size:]
        found += frames.add(size)
        number += 1
    assert [(one.server, one.status, one.seconds, one.path, one.body) for one in found[:-1]] == [
        (one.server, one.status, one.seconds, one.path, one.data) for one in answers
    ]
    assert (found[-1].last, found[-1].server) == (True, 2)
    assert not any(one.last for one in answers)
