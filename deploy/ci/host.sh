# What comment and reviewed know of GitHub and GitLab. They set host, work (a folder of
# theirs) and refused, a function that ends them.
# shellcheck shell=sh

# connect sets how the host is reached, and who this job is there.
connect() {
  case $host in
  github)
    api=${GITHUB_API_URL:-https://api.github.com} author=${COMMENT_AUTHOR:-github-actions[bot]}
    authorization="Authorization: Bearer ${GITHUB_TOKEN:-}"
    [ -n "${GITHUB_TOKEN:-}" ] || refused "there is no GITHUB_TOKEN"
    ;;
  gitlab)
    api=$CI_API_V4_URL
    authorization="PRIVATE-TOKEN: ${GITLAB_TOKEN:-}"
    [ -n "${GITLAB_TOKEN:-}" ] || refused "there is no GITLAB_TOKEN"
    get /user
    author=$(jq -r .username "$work/answer")
    ;;
  *) refused "$host is neither github nor gitlab" ;;
  esac
}

# discussion sets where the comments of a pull or merge request are: all of them, and one.
discussion() { # NUMBER
  case $host in
  github) all=/repos/$GITHUB_REPOSITORY/issues/$1/comments one=/repos/$GITHUB_REPOSITORY/issues/comments update=PATCH ;;
  gitlab) all=/projects/$CI_PROJECT_ID/merge_requests/$1/notes one=/projects/$CI_PROJECT_ID/merge_requests/$1/notes update=PUT ;;
  esac
}

# request sends one. The answer is in $work/answer, and its status in $status, 000 if there
# was none. The token is not an argument, which others on the machine could see.
request() { # METHOD PATH [FILE]
  method=$1 path=$2
  shift 2
  if [ $# = 1 ]; then
    set -- --header 'Content-Type: application/json' --data-binary "@$1"
  elif [ "$method" = GET ]; then # what was written once must not be written twice
    set -- --retry 3
  fi
  status=$(printf 'header = "%s"\n' "$authorization" |
    curl --config - --silent --show-error --max-time 60 --output "$work/answer" --write-out '%{http_code}' \
      --request "$method" "$@" "$api$path") || true
}

# answered goes on only if a request was answered as it should be.
answered() {
  case $status in
  200 | 201) ;;
  401 | 403 | 404) refused "the token may not (HTTP $status)" ;;
  000) refused "$api cannot be reached" ;;
  *) refused "$api answers HTTP $status: $(head -c 300 "$work/answer" 2>/dev/null | tr '\n' ' ')" ;;
  esac
}

get() { # PATH
  request GET "$1"
  answered
}

# mine prints what a filter of jq makes of each comment of this job's author: of an object
# with id and body. Comments of others do not count, as anybody may write a marker.
mine() { # FILTER [ARGUMENT-OF-JQ ...]
  filter=$1
  shift
  page=1
  while [ "$page" -le 100 ]; do # the first empty page is the end
    get "$all?per_page=100&page=$page"
    [ "$(jq length "$work/answer")" != 0 ] || return 0
    jq -r --arg author "$author" "$@" \
      ".[] | select((.user.login // .author.username) == \$author and (.system | not)) | $filter" "$work/answer"
    page=$((page + 1))
  done
}
