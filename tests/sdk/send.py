"""Sends GenAI spans with the OpenTelemetry SDK: send.py http|grpc ENDPOINT SERVICE SPANS. Certificate and headers come from
the SDK's own variables (OTEL_EXPORTER_OTLP_CERTIFICATE, OTEL_EXPORTER_OTLP_HEADERS). Sends the batch twice and prints what the exporter said."""

import sys

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

protocol, endpoint, service, spans = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
if protocol == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=10, compression=Compression.Gzip)
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=endpoint + "/v1/traces", timeout=10, compression=Compression.Gzip)

# The spans end as an application ends them, and are exported together.
ended = []


class Keep(SpanExporter):
    def export(self, batch):
        ended.extend(batch)
        return SpanExportResult.SUCCESS


provider = TracerProvider(resource=Resource.create({"service.name": service}))
provider.add_span_processor(SimpleSpanProcessor(Keep()))
tracer = provider.get_tracer("story")
with tracer.start_as_current_span("invoke_agent helper") as agent:
    agent.set_attribute("gen_ai.operation.name", "invoke_agent")
    for number in range(spans):
        with tracer.start_as_current_span("chat gpt-4o", kind=SpanKind.CLIENT) as span:
            span.set_attribute("gen_ai.operation.name", "chat")
            span.set_attribute("gen_ai.provider.name", "openai")
            span.set_attribute("gen_ai.request.model", "gpt-4o")
            span.set_attribute("gen_ai.response.model", "gpt-4o-2024-08-06")
            span.set_attribute("gen_ai.response.id", f"chatcmpl-{service}-{number}")
            span.set_attribute("gen_ai.usage.input_tokens", 1000)
            span.set_attribute("gen_ai.usage.output_tokens", 50)
            span.set_attribute("team", "growth")

# Twice, as after an answer that was lost: what is sent again counts once.
for _ in range(2):
    print(exporter.export(ended).name)
exporter.shutdown()
