{{- define "kserve-client.rules" -}}
- apiGroups: [serving.kserve.io]
  resources: [inferenceservices]
  verbs: [get, list, watch]
{{- end }}

{{- define "kserve-client.subjects" -}}
- kind: ServiceAccount
  name: {{ include "kserve-client.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
