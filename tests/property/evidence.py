"""Strategies for evidence and rows: few values, so that ties and repeats are common."""

from hypothesis import strategies as st

from status_service.merge import Evidence, Row, Status, of_delivered, of_failed, of_read, of_sent

SECOND = 1_000_000
# Ties at one second, and the microseconds of a receipt that stood in for a bad timestamp.
times = st.sampled_from(
    [base + more for base in range(1_790_812_800 * SECOND, 1_790_812_804 * SECOND, SECOND) for more in (0, 7)]
)
codes = st.sampled_from([None, -1, 0, 131026, 131049])
# Text whose order differs between bytes, UTF-16, and what people expect.
texts = st.sampled_from([None, "", "a", "Z", "é", "\uffff", "\U0001f600"])

single_evidence = st.one_of(
    st.builds(of_sent, times),
    st.builds(of_delivered, times),
    st.builds(of_read, times),
    st.builds(of_failed, times, codes, texts),
)

# What the platform may have left in a row, sensible or not.
rows = st.builds(
    Row,
    st.sampled_from(Status),
    st.builds(
        Evidence,
        sent_at=st.none() | times,
        delivered_at=st.none() | times,
        read_at=st.none() | times,
        failed_at=st.none() | times,
        error_code=codes,
        error_message=texts,
        said=st.just(0),
    ),
    st.integers(0, 15),
)
