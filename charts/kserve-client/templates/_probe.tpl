{{- define "kserve-client.probe" -}}
httpGet:
  path: {{ include "kserve-client.base" . }}/_stcore/health
  port: http
timeoutSeconds: 5
{{- end }}
