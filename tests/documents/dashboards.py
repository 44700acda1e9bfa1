"""deploy/grafana/*.json: the boards as Grafana's own library writes them."""

from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DatasourceVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef, Threshold, ThresholdsMode

from tests.documents.boards import Board, Panel

# Whoever imports a dashboard says which Prometheus it reads.
SOURCE = DataSourceRef(type_val="prometheus", uid="${prometheus}")
WIDTH, HEIGHT = 8, 8


def written(board: Board) -> str:
    dashboard = (
        Dashboard(board.title)
        .uid(board.uid)
        .description(board.meaning)
        .tags(["prime-sms"])
        .timezone("browser")
        .refresh("30s")
        .time("now-3h", "now")
        .with_variable(DatasourceVariable("prometheus").label("Prometheus").type("prometheus"))
    )
    for title, panels in board.rows:
        dashboard = dashboard.with_row(Row(title))
        for panel in panels:
            dashboard = dashboard.with_panel(_graph(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build()) + "\n"


def _graph(panel: Panel) -> TimeSeries:
    graph = (
        TimeSeries()
        .title(panel.title)
        .description(panel.meaning)
        .datasource(SOURCE)
        .unit(panel.unit)
        .min(0)
        .span(WIDTH)
        .height(HEIGHT)
    )
    if panel.line is not None:
        steps = [Threshold(value=None, color="green"), Threshold(value=panel.line, color="red")]
        graph = graph.thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    for letter, query in zip("ABCDEF", panel.queries, strict=False):
        graph = graph.with_target(
            Dataquery().expr(query.expression).legend_format(query.legend).ref_id(letter).datasource(SOURCE)
        )
    return graph
