/** What the configuration answers in place of an error is what nginx would answer. */
import { describeWithNginx } from "../../nginx/harness/nginx.ts";
import { Both } from "../routing/same-as-nginx.ts";

const http = `
  server { listen unix:%dir%/main.sock;
    location /text { proxy_pass http://dead; error_page 502 /page; }
    location /status { proxy_pass http://dead; error_page 502 =503 /page; }
    location /ok { proxy_pass http://dead; error_page 502 =200 /page; }
    location /own { proxy_pass http://dead; error_page 502 = /page; }
    location /args { proxy_pass http://dead; error_page 502 /page?why=down; }
    location /url { proxy_pass http://dead; error_page 502 http://b.example/sorry; }
    location /url-status { proxy_pass http://dead; error_page 502 =301 http://b.example/sorry; }
    location /url-odd { proxy_pass http://dead; error_page 502 =200 http://b.example/sorry; }
    location /uri-in-url { proxy_pass http://dead; error_page 502 http://b.example$request_uri; }
    location /named { proxy_pass http://dead; error_page 502 @named; }
    location /named-own { proxy_pass http://dead; error_page 502 = @named; }
    location /named-rewrite { proxy_pass http://dead; error_page 502 = @rewrite; }
    location /fallback { proxy_pass http://dead; error_page 502 = @fallback; }
    location /fallback-path { proxy_pass http://dead; error_page 502 = /to-engines/x; }
    location /redirect { proxy_pass http://dead; error_page 502 @redirect; }
    location /bare { proxy_pass http://dead; error_page 502 /bare-503; }
    location /missing { proxy_pass http://dead; error_page 502 /nothing-there; }
    location /dead-page { proxy_pass http://dead; error_page 502 /also-dead; }
    location /other { proxy_pass http://dead; error_page 500 504 /page; }
    location /returned { error_page 404 =404 /page; return 404; }
    location /returned-text { error_page 404 /page; return 404 text; }

    location = /page { internal; return 200 "page $uri ? $args"; }
    location = /bare-503 { internal; return 503; }
    location = /also-dead { internal; proxy_pass http://dead; }
    location /to-engines/ { internal; proxy_pass http://engines; }
    location @named { return 418 "named $uri"; }
    location @rewrite { rewrite ^/(.*)$ /to-engines/$1 last; }
    location @fallback { proxy_pass http://others; }
    location @redirect { return 302 http://b.example/; }
    location / { return 404; }
  }`;

const targets = `
  /text?a=b /status /ok /own /args?a=b /url /url-status /url-odd /uri-in-url?a=b%20c /named?a=b
  /named-own /named-rewrite/a%20b?c /fallback/a%20b?c=d /fallback-path?a=b /redirect /bare /missing
  /dead-page /other /returned /returned-text /page /@named
`
  .trim()
  .split(/\s+/);

describeWithNginx("error pages as nginx has them", () => {
  const both = Both.forTests(http);
  both.agreeOn(targets);
});
