{{/* What is refused, each in one sentence. Rendered by the Deployment; tests/chart has an example of each. */}}
{{- define "kserve-client.refusals" -}}
{{- if not .Values.image.repository }}
{{- fail "image.repository is empty: name the repository you pushed the image to, e.g. registry.example.org/ml/kserve-client" }}
{{- end }}
{{- include "kserve-client.refusals.replicas" . }}
{{- include "kserve-client.refusals.jobs" . }}
{{- include "kserve-client.refusals.models" . }}
{{- include "kserve-client.refusals.route" . }}
{{- include "kserve-client.refusals.streamlit" . }}
{{- include "kserve-client.refusals.secrets" . }}
{{- if and .Values.prometheusRule.enabled (not .Values.serviceMonitor.enabled) }}
{{- fail "prometheusRule.enabled needs serviceMonitor.enabled: its alerts look at what the ServiceMonitor collects" }}
{{- end }}
{{- if and .Values.grafanaDashboard.enabled (not .Values.serviceMonitor.enabled) }}
{{- fail "grafanaDashboard.enabled needs serviceMonitor.enabled: it shows what the ServiceMonitor collects" }}
{{- end }}
{{- with .Values.networkPolicy }}
{{- if and $.Values.serviceMonitor.enabled .enabled .ingressFrom (not .monitoringFrom) }}
{{- fail "networkPolicy.ingressFrom may keep Prometheus out, and serviceMonitor.enabled would then report a dashboard that is well as down: say in networkPolicy.monitoringFrom, not in ingressFrom, where Prometheus runs, e.g. [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]" }}
{{- end }}
{{- end }}
{{- if le (int .Values.terminationGracePeriodSeconds) (int .Values.drainSeconds) }}
{{- fail (printf "terminationGracePeriodSeconds (%d) must be longer than drainSeconds (%d), or pods are killed before they can end" (int .Values.terminationGracePeriodSeconds) (int .Values.drainSeconds)) }}
{{- end }}
{{- end }}

{{- define "kserve-client.refusals.replicas" -}}
{{- $replicas := include "kserve-client.replicas" . | int }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail (printf "autoscaling.minReplicas (%d) is more than autoscaling.maxReplicas (%d)" (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- end }}
{{- if and (gt $replicas 1) (eq .Values.stickiness.type "none") }}
{{- fail (printf "%d replicas need a stickiness, since an upload that reaches another replica than its page fails (HTTP 400): set stickiness.type to traefikService (Traefik), sessionPersistence (gateways with the experimental channel, e.g. Envoy Gateway) or external" $replicas) }}
{{- end }}
{{- if and (gt $replicas 1) (not .Values.cookieSecret.existingSecret) }}
{{- fail (printf "%d replicas need one cookieSecret.existingSecret for all: kubectl create secret generic kserve-client-cookies --from-literal=%s=$(openssl rand -hex 32)" $replicas .Values.cookieSecret.key) }}
{{- end }}
{{- if and (gt $replicas 1) .Values.jobs.persistence.enabled (not (include "kserve-client.sharesVolume" .)) }}
{{- fail (printf "%d replicas can't share the volume of the jobs: give jobs.persistence.accessModes ReadWriteMany, keep them in object storage (jobs.url), or run one replica" $replicas) }}
{{- end }}
{{- if and (ne .Values.stickiness.type "none") (ne .Values.stickiness.type "external") (not .Values.httpRoute.enabled) }}
{{- fail (printf "stickiness.type %s is a part of the HTTPRoute: set httpRoute.enabled, or stickiness.type external" .Values.stickiness.type) }}
{{- end }}
{{- end }}

{{- define "kserve-client.refusals.jobs" -}}
{{- if and .Values.jobs.url .Values.jobs.persistence.enabled }}
{{- fail "jobs.url and jobs.persistence.enabled are both set: are the jobs kept in object storage, or in a volume?" }}
{{- end }}
{{- if regexMatch "^s3://[^/]*@" .Values.jobs.url }}
{{- fail "jobs.url holds a user or a key: put the access key into a Secret, and name that in s3.existingSecret" }}
{{- end }}
{{- if and .Values.dashboard.daskScheduler (not .Values.jobs.url) (not (and .Values.jobs.persistence.enabled (include "kserve-client.sharesVolume" .))) }}
{{- fail "dashboard.daskScheduler needs a place for the jobs that its workers reach as well: set jobs.url, or jobs.persistence.enabled with jobs.persistence.accessModes [ReadWriteMany]" }}
{{- end }}
{{- end }}

{{- define "kserve-client.refusals.models" -}}
{{- if and .Values.models.content .Values.models.existingConfigMap }}
{{- fail "models.content and models.existingConfigMap are both set: which one is the models file?" }}
{{- end }}
{{- $file := fromYaml .Values.models.content }}
{{- if hasKey $file "Error" }}
{{- fail (printf "models.content is no YAML: %s" (get $file "Error")) }}
{{- end }}
{{- if and .Values.rbac.clusterWide .Values.rbac.namespaces }}
{{- fail "rbac.clusterWide and rbac.namespaces are both set: all namespaces, or these?" }}
{{- end }}
{{- $discovery := include "kserve-client.discovery" . | fromJson }}
{{- if and .Values.rbac.create (get $discovery "all_namespaces") (not .Values.rbac.clusterWide) (not (get $discovery "kubeconfig")) }}
{{- fail "models.content looks into all namespaces (kubernetes.all_namespaces), which takes a ClusterRole: set rbac.clusterWide, or name namespaces in kubernetes.namespaces" }}
{{- end }}
{{- if and .Values.rbac.create .Values.rbac.namespaces (not (get $discovery "kubeconfig")) }}
{{- range (get $discovery "namespaces" | default list) }}
{{- if not (has . $.Values.rbac.namespaces) }}
{{- fail (printf "models.content looks into namespace %s (kubernetes.namespaces), which rbac.namespaces leaves out: add it there, or leave rbac.namespaces empty" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "kserve-client.refusals.route" -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs: the Gateway it hangs on, e.g. [{name: public, namespace: gateways}]" }}
{{- end }}
{{- end }}

{{/* Options of Streamlit that the chart sets itself, or that open a door. */}}
{{- define "kserve-client.refusals.streamlit" -}}
{{- $server := get .Values.streamlit "server" | default dict }}
{{- $elsewhere := dict "baseUrlPath" "baseUrlPath" "port" "service.port" "maxUploadSize" "dashboard.largestUploadMb" "cookieSecret" "cookieSecret.existingSecret" }}
{{- range $option, $value := $elsewhere }}
{{- if hasKey $server $option }}
{{- fail (printf "streamlit.server.%s is set by the chart: use %s" $option $value) }}
{{- end }}
{{- end }}
{{- range $option := list "enableCORS" "enableXsrfProtection" }}
{{- if and (hasKey $server $option) (not (get $server $option)) }}
{{- fail (printf "streamlit.server.%s=false lets any web page use the dashboard in a visitor's name; behind a gateway it works as it is, for other origins use streamlit.server.corsAllowedOrigins" $option) }}
{{- end }}
{{- end }}
{{- end }}

{{/* A secret in values ends in the history of releases, in Git and in `kubectl describe`. */}}
{{- define "kserve-client.refusals.secrets" -}}
{{- range .Values.extraEnv }}
{{- /* COMPASS and BYPASS are words, and a path leads to a secret without being one. */}}
{{- $isSecret := regexMatch "(?i)((TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRETS?|APIKEY|CREDENTIALS?|BEARER|AUTHORIZATION|(^|[^YM])PASS)|(^|_)(KEY|AUTH|PWD|CREDS?))$" .name }}
{{- $mayBePath := and (regexMatch "(?i)(CREDENTIALS?|(^|_)KEY)$" .name) (not (regexMatch "(?i)(ACCESS|ACCOUNT|API|SECRET)_?KEY$" .name)) }}
{{- $isPath := and $mayBePath (regexMatch "^(/[A-Za-z0-9._-]+)+$" (get . "value" | default "")) }}
{{- if and (hasKey . "value") $isSecret (not $isPath) }}
{{- fail (printf "extraEnv %s holds a secret in plain text: put it into a Secret and name that with valueFrom.secretKeyRef" .name) }}
{{- end }}
{{- end }}
{{- end }}
