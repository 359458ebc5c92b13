/** The seed's nginx.conf with one engine of each kind and without a log, for Global Proxy started as `-c FILE`. */

import type { Engine } from "../engine-handle.ts";

const HEADERS = `
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;`;

export function seedConfiguration(port: number, engine: Engine): string {
  return `
load_module /usr/local/nginx/modules/ngx_http_set_request_id_module.so;
load_module /usr/local/nginx/modules/ngx_http_prefill_module.so;
load_module /usr/local/nginx/modules/ngx_http_upstream_length_balance_module.so;

pid global-proxy.pid;
error_log stderr error;

events {
  worker_connections 32768;
}

http {
  access_log off;
  client_body_buffer_size 512k;

  upstream prefill_servers {
    length_balance;
    server 127.0.0.1:${engine.prefillPort} max_fails=3 fail_timeout=10s;
  }

  upstream decode_servers {
    length_balance;
    server 127.0.0.1:${engine.decodePort} max_fails=3 fail_timeout=10s;
  }

  server {
    listen 127.0.0.1:${port};
    server_name localhost;

    location /v1/completions {
      prefill /prefill_internal;
      proxy_pass http://decode_servers;${HEADERS}
    }

    location /prefill_internal {
      internal;
      rewrite /prefill_internal/(.*) /$1 break;
      proxy_pass http://prefill_servers;${HEADERS}
    }
  }
}
`;
}
