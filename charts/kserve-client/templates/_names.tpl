{{- define "kserve-client.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "kserve-client.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "kserve-client.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "kserve-client.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "kserve-client.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kserve-client.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: dashboard
{{- end }}

{{- define "kserve-client.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "kserve-client.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: kserve-client
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "kserve-client.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "kserve-client.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "kserve-client.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* "" or /dash: what stands before every path. */}}
{{- define "kserve-client.base" -}}
{{- if .Values.baseUrlPath }}/{{ .Values.baseUrlPath }}{{ end }}
{{- end }}

{{/* The most replicas there may be. */}}
{{- define "kserve-client.replicas" -}}
{{- if .Values.autoscaling.enabled }}{{ int .Values.autoscaling.maxReplicas }}{{ else }}{{ int .Values.replicaCount }}{{ end }}
{{- end }}

{{- define "kserve-client.modelsConfigMap" -}}
{{- if .Values.models.existingConfigMap }}{{ .Values.models.existingConfigMap }}
{{- else if .Values.models.content }}{{ include "kserve-client.fullname" . }}-models
{{- end }}
{{- end }}

{{/* The part `kubernetes` of the models file, as JSON; {} where there is none or where we can't see it. */}}
{{- define "kserve-client.discovery" -}}
{{- get (fromYaml .Values.models.content) "kubernetes" | default dict | toJson }}
{{- end }}

{{/* {"items": [...]}: the namespaces whose InferenceServices may be seen, as JSON. */}}
{{- define "kserve-client.namespaces" -}}
{{- $named := get (include "kserve-client.discovery" . | fromJson) "namespaces" | default list }}
{{- dict "items" (default $named .Values.rbac.namespaces | uniq | sortAlpha) | toJson }}
{{- end }}

{{/* "yes" where the dashboard asks the cluster with its own account. */}}
{{- define "kserve-client.asksCluster" -}}
{{- $discovery := include "kserve-client.discovery" . | fromJson }}
{{- if or .Values.rbac.namespaces .Values.rbac.clusterWide (and $discovery (not (get $discovery "kubeconfig"))) }}yes{{ end }}
{{- end }}

{{/* {"items": [...]}: the extras of the image that the values ask for, as JSON. */}}
{{- define "kserve-client.extras" -}}
{{- $extras := list }}
{{- if or .Values.jobs.url (contains "s3://" .Values.dashboard.sources) }}{{ $extras = append $extras "s3" }}{{ end }}
{{- if .Values.dashboard.daskScheduler }}{{ $extras = append $extras "dask" }}{{ end }}
{{- dict "items" $extras | toJson }}
{{- end }}

{{/* "yes" where two pods may hold the volume of the jobs at once. */}}
{{- define "kserve-client.sharesVolume" -}}
{{- if has "ReadWriteMany" .Values.jobs.persistence.accessModes }}yes{{ end }}
{{- end }}

{{/* Options of Streamlit as its environment variables. Takes {"prefix", "options"}. Sections lie in `theme` alone; a mapping elsewhere is a value. */}}
{{- define "kserve-client.streamlitVariables" -}}
{{- range $name, $value := .options }}
{{- $path := printf "%s.%s" $.prefix $name }}
{{- $isTheme := hasPrefix "STREAMLIT.theme" $path }}
{{- if and (kindIs "map" $value) (or $isTheme (eq $.prefix "STREAMLIT")) }}
{{- include "kserve-client.streamlitVariables" (dict "prefix" $path "options" $value) }}
{{- else }}
{{- $words := regexReplaceAll "([a-z0-9])([A-Z])" (regexReplaceAll "(.)([A-Z][a-z]+)" $path "${1}_${2}") "${1}_${2}" }}
{{ $words | replace "._" "." | replace "." "_" | upper }}: {{ include "kserve-client.variable" (dict "isTheme" $isTheme "value" $value) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* How Streamlit 1.67 reads it: a mapping as JSON, a list as JSON below `theme` and by its spaces elsewhere. Takes {"isTheme", "value"}. */}}
{{- define "kserve-client.variable" -}}
{{- if or (kindIs "map" .value) (and .isTheme (kindIs "slice" .value)) }}{{ toJson .value }}
{{- else if kindIs "slice" .value }}{{ join " " .value }}
{{- else }}{{ include "kserve-client.scalar" .value }}
{{- end }}
{{- end }}

{{/* A number as people write it: Helm holds 2000000 as 2e+06. */}}
{{- define "kserve-client.scalar" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end }}
{{- end }}
