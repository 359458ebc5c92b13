{{- define "global-proxy.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "global-proxy.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "global-proxy.labels" -}}
{{ include "global-proxy.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "global-proxy.secret" -}}
{{ .Values.admin.existingSecret | default (printf "%s-admin" (include "global-proxy.name" .)) }}
{{- end }}

{{/* One pool of the configuration: its engines, its sources, its settings. */}}
{{- define "global-proxy.pool" -}}
{{- $pool := deepCopy (.pool.settings | default dict) }}
{{- $sources := $pool.sources | default list }}
{{- with .pool.dns }}{{ $sources = append $sources (dict "dns" .) }}{{ end }}
{{- with .pool.service }}
{{- $service := printf "%s-%s.%s.svc" (include "global-proxy.name" $.root) $.name $.root.Release.Namespace }}
{{- $host := printf "%s.%s:%v" $service $.root.Values.clusterDomain .port }}
{{- $sources = append $sources (dict "dns" $host) }}
{{- end }}
{{- with $sources }}{{ $_ := set $pool "sources" . }}{{ end }}
{{- range .pool.urls }}
{{- $_ := set $pool "engines" (append ($pool.engines | default list) (dict "url" .)) }}
{{- end }}
{{- if not (or $sources $pool.engines) }}
{{- fail (printf "pools.%s has no engines: set urls, dns or service" .name) }}
{{- end }}
{{- toYaml $pool }}
{{- end }}

{{- define "global-proxy.config" -}}
{{- $pools := dict }}
{{- range $name, $pool := .Values.pools }}
{{- if $pool }}
{{- $text := include "global-proxy.pool" (dict "root" $ "name" $name "pool" $pool) }}
{{- $_ := set $pools $name (fromYaml $text) }}
{{- end }}
{{- end }}
{{- $route := deepCopy (.Values.route.settings | default dict) }}
{{- $_ := set $route "match" ($route.match | default (dict "path" "/")) }}
{{- range $leg, $name := dict "prefill" .Values.route.prefill "target" .Values.route.target }}
{{- if $name }}
{{- if not (hasKey $pools $name) }}{{ fail (printf "route.%s: there is no pool %q; pools: %s" $leg $name (keys $pools | sortAlpha | join ", ")) }}{{ end }}
{{- $_ := set $route $leg (dict "pool" $name) }}
{{- end }}
{{- end }}
{{- if .Values.route.prefill }}{{ $_ := set $route "dialect" .Values.route.dialect }}{{ end }}
{{- $token := dict "file" "/etc/global-proxy-token/token" }}
{{- $listen := dict "port" 8080 }}
{{- $config := dict
  "workers" .Values.workers
  "drainTimeoutMs" (mul .Values.drainSeconds 1000)
  "admin" (dict "host" "0.0.0.0" "port" .Values.admin.port "token" $token)
  "pools" $pools
  "servers" (list (dict "listen" (list $listen) "routes" (list $route)))
}}
{{- toYaml (mustMergeOverwrite $config (deepCopy .Values.config)) }}
{{- end }}
