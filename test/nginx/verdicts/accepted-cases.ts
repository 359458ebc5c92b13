/** Configurations that nginx and we accept: directives of http, or a whole file after `!`. */
import { engine, location, server, upstream } from "./blocks.ts";

export const acceptedCases: string[] = [
  // main and events
  "!pid nginx.pid; events {} http { server { listen 9998; access_log off; } }",
  "!worker_processes 3; pid nginx.pid; events { worker_connections 10; use epoll; accept_mutex off; " +
    "multi_accept on; } http { server { listen 9998; access_log off; } }",
  "!worker_processes auto; worker_cpu_affinity auto; worker_priority -5; worker_rlimit_nofile 100; " +
    "worker_rlimit_core 5m; timer_resolution 1s; pcre_jit on; daemon off; master_process off; " +
    "worker_shutdown_timeout 5s; env A; env B=c; lock_file x; working_directory /tmp; thread_pool a threads=2; " +
    "pid nginx.pid; events { accept_mutex_delay 5ms; worker_aio_requests 3; } http { server { listen 9998; " +
    "access_log off; } }",
  "!error_log stderr debug_http; error_log stderr; pid nginx.pid; events {} http { server { listen 9998; " +
    "access_log off; } }",
  // http and server
  "client_max_body_size 1g; client_body_buffer_size 512k; client_header_timeout 1m30s; " +
    "client_body_timeout '1h 30m'; send_timeout 5;",
  "keepalive_timeout 65 60s; keepalive_requests 0; keepalive_time 1h; keepalive_disable msie6 none;",
  "large_client_header_buffers 4 8k; client_header_buffer_size 1k; connection_pool_size 512;",
  "sendfile ON; tcp_nopush on; tcp_nodelay off; gzip on; gzip_types text/plain; server_tokens off; etag off;",
  "lingering_close always; lingering_time 5s; lingering_timeout 5s; reset_timedout_connection on;",
  "open_file_cache max=10 inactive=5s; open_file_cache_valid 5s; open_file_cache_min_uses 2; " +
    "open_file_cache_errors on;",
  "types { a b; } types_hash_max_size 2048; default_type text/plain; index a b; root html;",
  "types { a b; } types { c d; }",
  "server_names_hash_bucket_size 128; resolver 127.0.0.1; resolver_timeout 5s; merge_slashes off; " +
    "underscores_in_headers on;",
  "ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on; ssl_session_timeout 5m;",
  "server { listen 9998 default_server backlog=5 reuseport; listen [::1]:9998; listen 127.0.0.1:9997; " +
    "listen unix:/tmp/gp-never-bound.sock; listen *:9996; }",
  "server { listen 9998 bind; listen 127.0.0.1:9998; } server { listen 9998; server_name b; }",
  "server { listen 9990-9992; listen 9993 rcvbuf=4k sndbuf=4k so_keepalive=on deferred; " +
    "listen [::1]:9994 ipv6only=on; }",
  server('server_name a *.a www.* .b "" _ ~^(?<x>.+)$; return 200 $x;'),
  server("server_name a; server_name b c;"),
  server("server_name a..b A.B;"),
  // variables
  server("set $args a; set $http_own b; set $Case $ARGS; return 200 $case;"),
  server("location ~ '(?<Name>a)' { return 200 $name; }"),
  "map $uri $m { hostnames; volatile; default x; *.a b; .c d; e.* f; ~^(?<g>h) $g; \\~i j; \\default k; }",
  "map $uri $http_x { a b; }",
  "geo $g { default a; 10.0.0.0/8 b; ::/0 c; delete 10.0.0.0/8; proxy 127.0.0.1; proxy_recursive; }",
  "geo $arg_a $g { ranges; default a; 10.0.0.1-10.0.0.2 b; 10.0.0.5-10.0.0.5 c; }",
  "split_clients $uri$args $s { 0.5% a; 10% b; * c; } split_clients a $t { 100% a; }",
  // files
  server(
    "root html; index a.html /b; location / { try_files $uri $uri/ @x; } location @x { root /$arg_a; }",
  ),
  server(
    "location /a { alias /tmp/; types { text/x a b; } default_type a/b; etag off; if_modified_since before; }",
  ),
  server("try_files $uri =404; location ~ a(.*) { alias /tmp/$1; autoindex off; max_ranges 1; }"),
  // conditions
  server("if ($arg_a) { return 404; }"),
  server("if ($arg_a = '') { set $a b; rewrite ^ /x; break; } if ( $arg_a ) { }"),
  server(
    "location / { if ($arg_a !~* (?<x>a)) { proxy_pass http://127.0.0.1:1; } return 200 $x; }",
  ),
  server(
    "location / { if (!-f $document_uri) { error_page 404 = /x; access_log off; root html; } }",
  ),
  server("location ~ a { if (-x /bin/sh) { proxy_pass http://127.0.0.1:1; } }"),
  server("location ~ '/a' { location /a/b {} location ~ c { location ~* d {} } }"),
  server("location /a { location /a/b/c {} } location /a/b {}"),
  server("location /a { location ^~ /a/b { location = /a/b/c {} } location /a {} }"),
  // locations
  server(
    "location = /a {} location ^~ /b {} location ~ /c {} location ~* /d {} location @e {} location / {}",
  ),
  server("location =/a {} location ^~/b {} location ~/c {} location ~*d {} location /a {}"),
  server("location /a { location /a/b { location = /a/b/c {} } }"),
  server("location a {}"),
  server('location "" {}'),
  server("location / { internal; return 200; }"),
  // rewrite
  // biome-ignore lint/suspicious/noTemplateCurlyInString: nginx has the same notation.
  server('return 200 "a ${uri}b$1$10";'),
  server("return http://x;"),
  server("return $scheme://x;"),
  server("return 301 /x;"),
  server("set $a 1; set $b $a$a; location / { set $a 2; break; return 200 $b; }"),
  server(
    "rewrite ^ /a; rewrite ^ /$1 last; rewrite ^ /a break; rewrite ^ /a redirect; rewrite ^ http://x permanent;",
  ),
  server(
    "error_page 404 /a; error_page 500 502 =200 /b; error_page 503 = /c; error_page 504 http://x/;",
  ),
  // proxy
  location("proxy_pass https://127.0.0.1;"),
  location("proxy_pass HTTPS://127.0.0.1:1/a;"),
  location("proxy_pass https://127.0.0.1; proxy_ssl_name $proxy_host; proxy_ssl_server_name on;"),
  location(
    "proxy_pass https://127.0.0.1; proxy_ssl_protocols TLSv1.2 tlsv1.3; proxy_ssl_verify off;",
  ),
  location("proxy_pass https://127.0.0.1; proxy_ssl_session_reuse off; proxy_ssl_verify_depth 3;"),
  server("ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers HIGH; ssl_ecdh_curve auto;"),
  server("ssl_session_cache shared:a:1m; ssl_session_tickets off; ssl_buffer_size 4k;"),
  server("ssl_session_cache builtin:100 shared:a:1m; ssl_verify_depth 2; ssl_early_data on;"),
  server("ssl_session_cache none; ssl_stapling on; ssl_stapling_verify on; ssl_verify_client off;"),
  location("proxy_pass http://127.0.0.1:1;"),
  location("proxy_pass HTTP://127.0.0.1:1;"),
  location("proxy_pass http://127.0.0.1:1/a?b=c;"),
  location("proxy_pass http://127.0.0.1?a=b;"),
  location("proxy_pass http://unix:/tmp/a:/b;"),
  location("proxy_pass http://127.0.0.1:1$request_uri;"),
  location("proxy_pass http://[::1]:1;"),
  "upstream a { server 127.0.0.1:1; } server { listen 9998; location / { proxy_pass http://A/; } " +
    "location ~ x { proxy_pass http://a; } location @n { proxy_pass http://a; } }",
  server("location ~ x { proxy_pass http://127.0.0.1:1/$uri; }"),
  location('proxy_set_header A b; proxy_set_header B ""; proxy_set_header C "$host:$server_port";'),
  location(
    "proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off; proxy_buffers 4 8k; " +
      "proxy_buffer_size 8k; proxy_busy_buffers_size 16k;",
  ),
  server(
    'add_header A b; add_header A "$host" always; add_trailer T "$status" always; add_header E "";',
  ),
  "access_log syslog:server=127.0.0.1:5514,facility=local3,tag=a_1,severity=warn,nohostname combined if=$uri;",
  "access_log syslog:server=[::1] combined; access_log logs/b.log combined if=$http_x buffer=4k flush=1m;",
  "error_log syslog:server=127.0.0.1,nohostname warn;",
  location("proxy_hide_header a; proxy_pass_header Server; proxy_intercept_errors on;"),
  location("proxy_connect_timeout 5; proxy_send_timeout 5s; proxy_read_timeout 500ms;"),
  location(
    "proxy_next_upstream error timeout invalid_header http_500 http_502 http_503 " +
      "http_504 http_403 http_404 http_429 non_idempotent updating;",
  ),
  location(
    "proxy_next_upstream off error; proxy_next_upstream_tries 3; proxy_next_upstream_timeout 5s;",
  ),
  // upstream
  engine("weight=5 max_fails=0 fail_timeout=5 max_conns=3 down"),
  engine("fail_timeout=1M"),
  upstream(
    "server 127.0.0.1; server [::1]; server [::1]:2 backup; server unix:/tmp/x; server localhost:3;",
  ),
  upstream("server 127.0.0.1 backup; server 127.0.0.1:2; ip_hash;"),
  upstream(
    "zone a 64k; least_conn; keepalive 2; keepalive_timeout 5s; keepalive_requests 5; keepalive_time 5m; " +
      "server 127.0.0.1;",
  ),
  upstream("zone a 64k; zone a 64k; server 127.0.0.1;"),
  upstream("random; server 127.0.0.1;"),
  upstream("random two; server 127.0.0.1;"),
  upstream("random two least_conn; server 127.0.0.1;"),
  upstream("hash $uri; server 127.0.0.1;"),
  upstream("hash $uri$args consistent; server 127.0.0.1;"),
  upstream("least_conn; ip_hash; server 127.0.0.1;"),
  // map and logs
  "map $uri $x { default a; b c; ~d e; ~*f g; \\default h; }",
  "map $uri$args $x { volatile; a $host; } map $x $y { a b; }",
  'map $uri $x { "~^(?<cap>a)" $cap; }',
  "map $uri $x { *.a b; }",
  "map_hash_bucket_size 64; map $uri $x { }",
  "map $uri $x { a b; } map $uri $x { a c; }",
  "log_format a '$uri' \"$args\"; log_format b escape=json '$uri'; log_format c escape=none x;",
  "log_format a '$uri'; access_log logs/a.log a buffer=1k flush=1s; server { access_log off; listen 9998; }",
  "access_log logs/a.log combined gzip=3; access_log logs/b.log;",
];
